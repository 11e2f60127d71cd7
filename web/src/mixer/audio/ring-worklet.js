/** An audio worklet that plays audio from a ring buffer. The worklet's node has no inputs. */

import { RingPlayer } from './ring-player.js';
import { Ring } from './ring.js';

class RingProcessor extends AudioWorkletProcessor {
  #player;
  #running = true;

  /** @param {{processorOptions: {buffer: SharedArrayBuffer}}} options */
  constructor({ processorOptions }) {
    super();
    this.#player = new RingPlayer(new Ring(processorOptions.buffer));
    this.port.onmessage = (/** @type {MessageEvent<{delay: number} | 'stop'>} */ { data }) => {
      if (data === 'stop') this.#running = false;
      else this.#player.setDelay(data.delay);
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
