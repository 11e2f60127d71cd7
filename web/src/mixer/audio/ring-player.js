/**
 * Plays a ring at a fixed distance behind its writer: what arrives now is heard `delay` later, and stays so.
 *
 * Chrome's own way from a remote track into the sound system has a buffer whose filling is left to chance and then stays
 * for good, 0 to 70 ms. Here the distance is kept by what it is on average: frames arrive 10 ms at a time, now and then
 * late, and are read 128 at a time.
 */

import { SAMPLE_RATE } from './ring.js';

/** The least distance, in ms: a piece of 10 ms, and a reader that is woken late. */
const LEAST = 25;
/** How far the mean distance may be off, in ms, before it is set right; and how long it is watched between, in s. */
const TOLERANCE = 5;
const WATCHED = 2;
/** A distance that is off by so much, in ms, is set right at once, and one that leaves nothing to play for so long. */
const LOST = 250;
const STARVED = 150;
/** Nothing written for so long, in s, says nothing of the distance. */
const PAUSED = 0.1;
/** How long the fade from one place to another takes, in frames. */
const FADE = 512;
/** Just after a piece of 10 ms has arrived the writer is ahead by half a piece more than on average. */
const HALF_PIECE = 240;

/** @typedef {import('./ring.js').Ring} Ring */

export class Player {
  #ring;
  /** Frames between what is written and what is read, wanted; 0 while nobody said. */
  #wanted = 0;
  /** The place that is read, and the one that fades out. */
  #at = 0;
  #before = 0;
  #fading = 0;
  #started = false;
  #mean = 0;
  #written = 0;
  #unmoved = 0;
  /** For how many frames there was nothing to play. */
  #starved = 0;
  /** Frames played since the distance was set right. */
  #since = 0;

  /** @param {Ring} ring */
  constructor(ring) {
    this.#ring = ring;
  }

  /** Delays what arrives by so much. @param {number} ms */
  setDelay(ms) {
    const wanted = Math.round((Math.max(LEAST, ms) * SAMPLE_RATE) / 1000);
    const change = wanted - this.#wanted;
    this.#wanted = wanted;
    if (this.#started && change) this.#move(-change);
  }

  /** Plays the next frames into both channels. @param {Float32Array} left @param {Float32Array} right of the same length */
  render(left, right) {
    const { written } = this.#ring;
    const count = left.length;
    if (!this.#started) {
      if (!this.#wanted || written === 0) return;
      this.#started = true;
      // It begins with the first piece, half a quantum after that came.
      this.#at = (written - this.#wanted - HALF_PIECE + count / 2) | 0;
      this.#mean = this.#wanted;
    }
    this.#watch(written, count);
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

  /** Follows the mean distance, and sets it right where it is off for good. @param {number} written @param {number} count */
  #watch(written, count) {
    this.#unmoved = written === this.#written ? this.#unmoved + count : 0;
    this.#written = written;
    if (this.#unmoved > PAUSED * SAMPLE_RATE) return;
    const distance = (written - this.#at) | 0;
    this.#starved = distance < 0 ? this.#starved + count : 0;
    const lost = Math.abs(distance - this.#wanted) > (LOST * SAMPLE_RATE) / 1000;
    if (lost || this.#starved > (STARVED * SAMPLE_RATE) / 1000) {
      this.#mean = distance;
      this.#correct(distance - this.#wanted);
      return;
    }
    const share = count / (WATCHED * SAMPLE_RATE);
    this.#mean += (distance - this.#mean) * share;
    const off = this.#mean - this.#wanted;
    if (this.#since > WATCHED * SAMPLE_RATE && Math.abs(off) > (TOLERANCE * SAMPLE_RATE) / 1000) {
      this.#correct(Math.round(off));
    }
  }

  /** @param {number} frames */
  #correct(frames) {
    this.#move(frames);
    this.#since = 0;
    this.#starved = 0;
  }

  /** Goes on so many frames further, or back. @param {number} frames */
  #move(frames) {
    this.#before = this.#at;
    this.#fading = FADE;
    this.#at = (this.#at + frames) | 0;
    this.#mean -= frames;
  }
}
