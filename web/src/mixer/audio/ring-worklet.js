/**
 * An audio worklet that plays audio from a ring buffer. The worklet's node has no inputs. Without shared memory, the
 * node receives a message port through which the audio arrives.
 */

import { RingPlayer } from './ring-player.js';
import { Ring, receivePieces } from './ring.js';

/** @typedef {{delay: number} | {pieces: MessagePort} | 'stop'} Message */

class RingProcessor extends AudioWorkletProcessor {
  #player;
  /** @type {MessagePort | null} */
  #pieces = null;
  #running = true;

  /** @param {{processorOptions: {buffer: SharedArrayBuffer | undefined}}} options */
  constructor({ processorOptions }) {
    super();
    const ring = new Ring(processorOptions.buffer);
    this.#player = new RingPlayer(ring);
    this.port.onmessage = (/** @type {MessageEvent<Message>} */ { data }) => {
      if (data === 'stop') {
        this.#running = false;
        this.#pieces?.close();
      } else if ('pieces' in data) {
        this.#pieces = data.pieces;
        receivePieces(data.pieces, ring);
      } else this.#player.setDelay(data.delay);
    };
  }

  /** @param {unknown} _ @param {Float32Array[][]} outputs */
  process(_, outputs) {
    const [left, right] = outputs[0] ?? [];
    if (left && right) this.#player.render(left, right);
    return this.#running;
  }
}

registerProcessor('ring-player', RingProcessor);
