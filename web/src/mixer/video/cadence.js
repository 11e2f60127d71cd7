/**
 * A queue that shows each of a participant's frames once: locked to the sender's clock, not to arrival.
 *
 * "The latest frame at the tick" repeats or skips 2 to 21 % of the frames, depending on phase. Here each frame gets a
 * smoothed media time, and one playout offset, frozen while it serves, decides at which tick it is due.
 */

import { percentile } from '../percentile.js';

/**
 * What has to be seen before the offset is set for the first time, in ms of media time: of frames that the page itself
 * makes, and of those that come over a network.
 */
const NEAR_LOCK = 120;
const FAR_LOCK = 250;
/** Frames without which no period is known, and frames before the offset is set for good. */
const LEAST_FRAMES = 3;
const FIRM_LOCK = 45;
/** So many of the first frames can have waited for us in the track's own buffer. */
const WAITED = 8;
/** So many frames that came after their tick set the offset anew. */
const LATE_FRAMES = 3;
const LATENCIES = 90;
const INTERVALS = 25;
/** Least delay over the median latency, and most over the smallest, in ms. */
const FLOOR = 60;
const CAP = 220;
/** So much longer than needed, in ms, frames may wait after the firm lock: less would skip some; it relaxes slowly. */
const SPARE = 150;
/** Ticks between two looks whether the offset could be smaller. */
const RELAX_EVERY = 900;
const QUEUE = 16;
/** So many ms between two frames' latencies mean that the sender's clock was set, or begins anew. */
const JUMP = 2000;
/**
 * How far the ratio of the frames' period and the ticks' may be from a whole number: when locking on few frames, when
 * locking on many, and afterwards.
 */
const ROUGH = 0.06;
const NEAR = 0.02;
const EXACT = 0.01;

/** @param {number} value @param {number} modulus */
const mod = (value, modulus) => ((value % modulus) + modulus) % modulus;

/** @param {number[]} list @param {number} value @param {number} most */
function keep(list, value, most) {
  list.push(value);
  if (list.length > most) list.shift();
}

/** @template T what the queue holds: a copied image */
export class Cadence {
  /** @type {{item: T, time: number}[]} */
  #queue = [];
  /** The frame period in ms, 0 while unknown. */
  #period = 0;
  /** The last frame's raw and smoothed media time, in ms on the sender's clock. */
  #raw = Number.NaN;
  #media = 0;
  /** When the last frame came, page time, ms. */
  #arrived = Number.NaN;
  /** @type {number[]} */
  #intervals = [];
  /** Arrival minus media time of the last frames, in ms. @type {number[]} */
  #latencies = [];
  #offset = 0;
  #lockedAt = 0;
  #frames = 0;
  #late = 0;
  #ticks = 0;
  /** The ticks' beat if it is a multiple or a fraction of the frames' one, else 0. */
  #beat = 0;
  #step;

  /** Ms of media time before the first lock, and those seen so far. */
  #firstLock;
  #seen = 0;

  /** @param {number} step ms between two ticks @param {boolean} remote whether the frames come over a network */
  constructor(step, remote = true) {
    this.#step = step;
    this.#firstLock = remote ? FAR_LOCK : NEAR_LOCK;
  }

  /**
   * How long a frame waits from arrival to its tick on average, in ms; 0 before the first lock. From when it is due it
   * waits for the tick: in the middle between two where the rates agree, anywhere between them where they don't.
   */
  get delay() {
    if (!this.#lockedAt) return 0;
    return this.#offset + Math.min(this.#period, this.#step) / 2 - percentile(this.#latencies, 0.5);
  }

  /**
   * Takes a frame.
   *
   * @param {T} item
   * @param {number} time media time on the sender's clock, ms
   * @param {number} now arrival, page time, ms
   * @returns {T | null} what had to make room
   */
  push(item, time, now) {
    const before = this.#latencies.at(-1);
    if (before !== undefined && Math.abs(now - time - before) > JUMP) this.#restart();
    // Whom a frame follows sooner than it was taken had waited for us: how late it came says nothing of the sender.
    if (this.#frames < WAITED && now - this.#arrived < (time - this.#raw) / 2) this.#latencies = [];
    this.#arrived = now;
    this.#smooth(time);
    const latency = now - this.#media;
    keep(this.#latencies, latency, LATENCIES);
    this.#frames += 1;
    if (!this.#lockedAt) this.#offset = Math.max(...this.#latencies) + this.#step / 2;
    else if (latency > this.#offset + 1) this.#late += 1;
    this.#queue.push({ item, time: this.#media });
    return this.#queue.length > QUEUE ? (this.#queue.shift()?.item ?? null) : null;
  }

  /**
   * Returns the frame that is due, and those before it that never will be; null while the last one stays.
   *
   * @param {number} due page time of the tick, ms
   * @returns {{item: T, skipped: T[]} | null}
   */
  tick(due) {
    this.#ticks += 1;
    this.#steer(due);
    let last = -1;
    while (last + 1 < this.#queue.length && this.#time(last + 1) + this.#offset <= due) last += 1;
    if (last < 0) return null;
    const passed = this.#queue.splice(0, last + 1).map(({ item }) => item);
    const item = /** @type {T} */ (passed.pop());
    return { item, skipped: passed };
  }

  /** Empties the queue. @returns {T[]} what was in it */
  clear() {
    return this.#queue.splice(0).map(({ item }) => item);
  }

  /** Forgets what was measured on a clock that is no more; what is queued is due at once. */
  #restart() {
    this.#latencies = [];
    this.#raw = Number.NaN;
    this.#arrived = Number.NaN;
    this.#seen = 0;
    this.#lockedAt = 0;
    this.#frames = 0;
    this.#late = 0;
    for (const entry of this.#queue) entry.time = Number.NEGATIVE_INFINITY;
  }

  /** @param {number} index */
  #time(index) {
    return /** @type {{item: T, time: number}} */ (this.#queue[index]).time;
  }

  /** A slow phase-locked loop: the media time follows the frame count, and the period follows the media time. */
  #smooth(/** @type {number} */ time) {
    const interval = time - this.#raw;
    this.#raw = time;
    if (!(interval > 0)) {
      this.#media = time;
      return;
    }
    if (interval < 1000) {
      keep(this.#intervals, interval, INTERVALS);
      this.#seen += interval;
    }
    if (!this.#period) {
      this.#media = time;
      if (this.#seen >= this.#firstLock && this.#intervals.length >= LEAST_FRAMES - 1) {
        this.#period = percentile(this.#intervals, 0.5);
      }
      return;
    }
    const count = Math.max(1, Math.round((time - this.#media) / this.#period));
    const error = time - (this.#media + count * this.#period);
    if (Math.abs(error) > 0.7 * this.#period || interval > 1000) {
      this.#media = time;
      this.#period = percentile(this.#intervals, 0.5);
    } else {
      this.#media += count * this.#period + 0.1 * error;
      this.#period += (0.01 * error) / count;
    }
  }

  /** Sets, corrects and relaxes the offset. @param {number} due */
  #steer(/** @type {number} */ due) {
    if (!this.#lockedAt) {
      if (this.#period && this.#seen >= this.#firstLock && this.#latencies.length >= LEAST_FRAMES) {
        this.#lock(due);
      }
      return;
    }
    if (this.#late >= LATE_FRAMES) this.#lock(due);
    else if (this.#lockedAt < FIRM_LOCK && this.#frames >= FIRM_LOCK) this.#confirm(due);
    // The period becomes known better than it was at the lock.
    else if (!this.#beat) this.#centre(due, EXACT);
    if (this.#ticks % RELAX_EVERY === 0) {
      this.#late = 0;
      const roomy = this.#offset - percentile(this.#latencies, 0.99) > this.#beat + 20;
      if (this.#beat && roomy && this.#offset - percentile(this.#latencies, 0.5) > FLOOR + this.#beat) {
        this.#offset -= this.#beat;
      }
    }
    if (this.#beat) {
      const away = mod(due - this.#offset - this.#media, this.#beat) - this.#beat / 2;
      this.#offset += Math.min(0.01, Math.max(-0.01, 0.01 * away));
    }
  }

  #lock(/** @type {number} */ due) {
    this.#late = 0;
    this.#lockedAt = this.#frames;
    this.#offset = this.#wanted();
    this.#centre(due, this.#frames < FIRM_LOCK ? ROUGH : NEAR);
  }

  /** Now that more is known: keeps the offset unless a new one would be much better, for each change costs frames. */
  #confirm(/** @type {number} */ due) {
    const more = this.#offset - this.#wanted();
    const right = this.#beat > 0 && this.#agreed(NEAR) > 0;
    if (right && more >= 0 && more < Math.max(2 * this.#beat, SPARE)) this.#lockedAt = this.#frames;
    else this.#lock(due);
  }

  /** The least offset with which the last frames would have been in time. */
  #wanted() {
    const recent = this.#latencies.slice(-30);
    const wanted = Math.max(percentile(recent, 0.98) + 10, percentile(recent, 0.5) + FLOOR);
    return Math.min(wanted, Math.min(...recent) + CAP);
  }

  /** Sits in the middle of the interval between two frames, or two ticks, where their rates agree. */
  #centre(/** @type {number} */ due, /** @type {number} */ tolerance) {
    this.#beat = this.#agreed(tolerance);
    if (this.#beat) {
      this.#offset += mod(mod(due - this.#offset - this.#media, this.#beat) - this.#beat / 2, this.#beat);
    }
  }

  /** The ticks' or the frames' period, the shorter one, if the other is a multiple of it; else 0. @param {number} tolerance */
  #agreed(tolerance) {
    const beat = Math.min(this.#period, this.#step);
    const ratio = Math.max(this.#period, this.#step) / beat;
    return Math.abs(ratio - Math.round(ratio)) < tolerance ? beat : 0;
  }
}
