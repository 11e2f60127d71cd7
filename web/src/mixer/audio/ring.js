/**
 * Ring: a ring buffer that holds a little over a second of audio. A worker writes a track's audio to it, and a worklet
 * plays the audio. If the page has shared memory, both threads use the same ring. Otherwise, the worklet has the ring,
 * and the worker sends each piece of audio to it as a message (RingSender).
 */

import { hasSharedMemory } from '../../shared/memory.js';

export const SAMPLE_RATE = 48_000;
/**
 * Capacity in audio frames. The capacity is a power of two, so that buffer positions stay correct when the count of
 * written frames wraps around.
 */
const FRAMES = 65_536;
const CHANNELS = 2;
const HEADER = 8;

/**
 * A ring buffer of stereo audio. Only one thread writes to the buffer. Each reader has its own position: a count of
 * audio frames that wraps around like `written`.
 */
export class Ring {
  #written;
  #channels;

  /**
   * @param {SharedArrayBuffer | ArrayBuffer} [buffer] the memory of a ring that another thread has created; by default,
   * new memory is allocated
   */
  constructor(buffer = allocate(HEADER + CHANNELS * FRAMES * 4)) {
    this.buffer = buffer;
    this.#written = new Int32Array(buffer, 0, 1);
    this.#channels = [0, 1].map((channel) => new Float32Array(buffer, HEADER + channel * FRAMES * 4, FRAMES));
  }

  /**
   * Number of audio frames written, as a signed 32-bit integer that wraps around. Use `(a - b) | 0` for the difference
   * between two counts.
   */
  get written() {
    return Atomics.load(this.#written, 0);
  }

  /**
   * Adds audio frames; for mono audio, pass the same samples for both channels.
   *
   * @param {Float32Array} left
   * @param {Float32Array} right
   */
  write(left, right) {
    const at = this.written;
    for (const [channel, samples] of [left, right].entries()) {
      const target = /** @type {Float32Array} */ (this.#channels[channel]);
      const start = at & (FRAMES - 1);
      const fits = Math.min(samples.length, FRAMES - start);
      target.set(samples.subarray(0, fits), start);
      target.set(samples.subarray(fits), 0);
    }
    Atomics.store(this.#written, 0, (at + left.length) | 0);
  }

  /**
   * Returns the sample at a position, or 0 if the ring does not contain this position.
   *
   * @param {number} channel
   * @param {number} at
   * @param {number} written the value of `written` when this read began
   */
  sample(channel, at, written) {
    const behind = (written - at) | 0;
    if (behind <= 0 || behind > FRAMES) return 0;
    return /** @type {number} */ (/** @type {Float32Array} */ (this.#channels[channel])[at & (FRAMES - 1)]);
  }
}

/** @param {number} bytes */
const allocate = (bytes) => (hasSharedMemory ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));

/** Writes to a ring in another thread by sending each piece of audio through a message port. */
export class RingSender {
  #port;

  /** @param {MessagePort} port the port whose other end was passed to `receivePieces` */
  constructor(port) {
    this.#port = port;
  }

  /**
   * Adds audio frames, as `Ring.write` does.
   *
   * @param {Float32Array} left
   * @param {Float32Array} right
   */
  write(left, right) {
    // The caller reuses its arrays, so send copies. Mono audio needs only one copy.
    const piece = right === left ? [left.slice()] : [left.slice(), right.slice()];
    this.#port.postMessage(
      piece,
      piece.map(({ buffer }) => buffer),
    );
  }

  close() {
    this.#port.close();
  }
}

/**
 * Writes the pieces that a RingSender sends through the port to the ring.
 *
 * @param {MessagePort} port
 * @param {Ring} ring
 */
export function receivePieces(port, ring) {
  port.onmessage = (
    /** @type {MessageEvent<[Float32Array, Float32Array?]>} */ { data: [left, right = left] },
  ) => ring.write(left, right);
}
