/**
 * RingPlayer: plays a ring at a fixed distance behind its writer: audio that arrives now is played `delay` ms later.
 *
 * Chrome's own path from a remote track into the audio system has a buffer of 0 to 70 ms, whose fill level is random and
 * then constant. Here the average distance is kept constant: frames arrive 10 ms at a time, sometimes late, and are read
 * 128 at a time.
 */

import { SAMPLE_RATE } from './ring.js';

/** The smallest distance, in ms: a piece of 10 ms, and a worklet that runs late. */
const LEAST = 25;
/** How far the mean distance may be off, in ms, before it is corrected; and over how long it is measured, in s. */
const TOLERANCE = 5;
const MEASURED_OVER = 2;
/** A distance that is off by this much, in ms, is corrected at once; so is one that leaves nothing to play for this long. */
const LOST = 250;
const STARVED = 150;
/** While nothing has been written for this long, in s, the distance is not measured. */
const PAUSED = 0.1;
/** How long the fade from one position to another takes, in frames. */
const FADE = 512;
/** When a piece of 10 ms has just arrived, the writer is half a piece further ahead than on average. */
const HALF_PIECE = 240;

/** @typedef {import('./ring.js').Ring} Ring */

export class RingPlayer {
  #ring;
  /** The requested distance between writer and reader, in frames; 0 until it is set. */
  #wanted = 0;
  /** The position that is read, and the one that fades out. */
  #at = 0;
  #before = 0;
  #fading = 0;
  #started = false;
  #mean = 0;
  #written = 0;
  #unwritten = 0;
  /** How many frames in a row had nothing to play. */
  #starved = 0;
  /** How many frames were played since the distance was corrected. */
  #since = 0;

  /** @param {Ring} ring */
  constructor(ring) {
    this.#ring = ring;
  }

  /** Sets the delay. @param {number} ms */
  setDelay(ms) {
    const wanted = Math.round((Math.max(LEAST, ms) * SAMPLE_RATE) / 1000);
    const change = wanted - this.#wanted;
    this.#wanted = wanted;
    if (this.#started && change) this.#movePosition(-change);
  }

  /** Plays the next frames into both channels. @param {Float32Array} left @param {Float32Array} right of the same length */
  render(left, right) {
    const { written } = this.#ring;
    const count = left.length;
    if (!this.#started) {
      if (!this.#wanted || written === 0) return;
      this.#started = true;
      // Playback begins with the first piece, half a quantum after it arrived.
      this.#at = (written - this.#wanted - HALF_PIECE + count / 2) | 0;
      this.#mean = this.#wanted;
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

  /** Measures the mean distance, and corrects it if it is off. @param {number} written @param {number} count */
  #checkDistance(written, count) {
    this.#unwritten = written === this.#written ? this.#unwritten + count : 0;
    this.#written = written;
    if (this.#unwritten > PAUSED * SAMPLE_RATE) return;
    const distance = (written - this.#at) | 0;
    this.#starved = distance < 0 ? this.#starved + count : 0;
    const lost = Math.abs(distance - this.#wanted) > (LOST * SAMPLE_RATE) / 1000;
    if (lost || this.#starved > (STARVED * SAMPLE_RATE) / 1000) {
      this.#mean = distance;
      this.#correctDistance(distance - this.#wanted);
      return;
    }
    const share = count / (MEASURED_OVER * SAMPLE_RATE);
    this.#mean += (distance - this.#mean) * share;
    const off = this.#mean - this.#wanted;
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

  /** Moves the position forward or back. @param {number} frames */
  #movePosition(frames) {
    this.#before = this.#at;
    this.#fading = FADE;
    this.#at = (this.#at + frames) | 0;
    this.#mean -= frames;
  }
}
