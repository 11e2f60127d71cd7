/**
 * RingPlayer: plays audio from a ring buffer, at a fixed distance behind the writer. The distance between writer and
 * reader is set so that audio is played `delay` ms after it arrives.
 *
 * Chrome's own path from a remote track into the audio system has a buffer of 0 to 70 ms. The fill level of this buffer
 * is random at first and then stays constant. RingPlayer instead keeps the average distance between writer and reader
 * at the requested value. Audio arrives in pieces of 10 ms, which may be late, and is read 128 frames at a time.
 */

import { SAMPLE_RATE } from './ring.js';

/** Minimum distance between writer and reader, in ms: one piece of 10 ms, and a margin for a worklet that runs late. */
const LEAST = 25;
/**
 * How far the mean distance between writer and reader may deviate from its target before it is corrected, in ms, and
 * the period over which the mean is measured, in s.
 */
const TOLERANCE = 5;
const MEASURED_OVER = 2;
/**
 * The distance between writer and reader is corrected at once if it is wrong by more than LOST ms, or if there has been
 * nothing to play for more than STARVED ms.
 */
const LOST = 250;
const STARVED = 150;
/** The distance between writer and reader is not measured if nothing has been written for this long, in s. */
const PAUSED = 0.1;
/** Duration of the crossfade from one position to another, in audio frames. */
const FADE = 512;
/**
 * Half the length of a 10 ms piece, in audio frames. Right after a piece arrives, the writer is ahead of its average
 * position by this much.
 */
const HALF_PIECE = 240;

/** @typedef {import('./ring.js').Ring} Ring */

export class RingPlayer {
  #ring;
  /** The requested distance between writer and reader, in audio frames; 0 until it is set. */
  #target = 0;
  /** The position that is being played, and the previous position, which is fading out. */
  #at = 0;
  #before = 0;
  #fading = 0;
  #started = false;
  #mean = 0;
  #written = 0;
  #unwritten = 0;
  /** Number of consecutive audio frames for which there was nothing to play. */
  #starved = 0;
  /** Number of audio frames played since the distance between writer and reader was last corrected. */
  #since = 0;

  /** @param {Ring} ring */
  constructor(ring) {
    this.#ring = ring;
  }

  /** Sets the delay. @param {number} ms */
  setDelay(ms) {
    const target = Math.round((Math.max(LEAST, ms) * SAMPLE_RATE) / 1000);
    const change = target - this.#target;
    this.#target = target;
    if (this.#started && change) this.#movePosition(-change);
  }

  /**
   * Writes the next audio frames to both channels.
   *
   * @param {Float32Array} left
   * @param {Float32Array} right the right channel, which has the same length as `left`
   */
  render(left, right) {
    const { written } = this.#ring;
    const count = left.length;
    if (!this.#started) {
      if (!this.#target || written === 0) return;
      this.#started = true;
      // Playback begins with the first piece, on average half a render quantum after the piece arrived.
      this.#at = (written - this.#target - HALF_PIECE + count / 2) | 0;
      this.#mean = this.#target;
    }
    this.#checkDistance(written, count);
    for (let frame = 0; frame < count; frame += 1) {
      const at = (this.#at + frame) | 0;
      let one = this.#ring.sample(0, at, written);
      let other = this.#ring.sample(1, at, written);
      if (this.#fading > 0) {
        const share = this.#fading / FADE;
        const old = (this.#before + frame) | 0;
        one += (this.#ring.sample(0, old, written) - one) * share;
        other += (this.#ring.sample(1, old, written) - other) * share;
        this.#fading -= 1;
      }
      left[frame] = one;
      right[frame] = other;
    }
    this.#at = (this.#at + count) | 0;
    this.#before = (this.#before + count) | 0;
    this.#since += count;
  }

  /**
   * Measures the mean distance between writer and reader, and corrects it if it differs too much from the target.
   *
   * @param {number} written
   * @param {number} count
   */
  #checkDistance(written, count) {
    this.#unwritten = written === this.#written ? this.#unwritten + count : 0;
    this.#written = written;
    if (this.#unwritten > PAUSED * SAMPLE_RATE) return;
    const distance = (written - this.#at) | 0;
    this.#starved = distance < 0 ? this.#starved + count : 0;
    const lost = Math.abs(distance - this.#target) > (LOST * SAMPLE_RATE) / 1000;
    if (lost || this.#starved > (STARVED * SAMPLE_RATE) / 1000) {
      this.#mean = distance;
      this.#correctDistance(distance - this.#target);
      return;
    }
    const share = count / (MEASURED_OVER * SAMPLE_RATE);
    this.#mean += (distance - this.#mean) * share;
    const off = this.#mean - this.#target;
    if (this.#since > MEASURED_OVER * SAMPLE_RATE && Math.abs(off) > (TOLERANCE * SAMPLE_RATE) / 1000) {
      this.#correctDistance(Math.round(off));
    }
  }

  /** @param {number} frames */
  #correctDistance(frames) {
    this.#movePosition(frames);
    this.#since = 0;
    this.#starved = 0;
  }

  /** Moves the read position forward or backward in the ring buffer. @param {number} frames */
  #movePosition(frames) {
    this.#before = this.#at;
    this.#fading = FADE;
    this.#at = (this.#at + frames) | 0;
    this.#mean -= frames;
  }
}
