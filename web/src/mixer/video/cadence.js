/**
 * Cadence: a queue from which each of a participant's frames is shown exactly once. Frames leave the queue according to
 * the sender's clock, not according to their arrival times.
 *
 * If each tick simply showed the latest frame, 2 to 21 % of the frames would be repeated or skipped, depending on when
 * they arrive relative to the ticks. Instead, each frame has a smoothed media time, and a playout offset determines the
 * tick at which the frame is due. The playout offset stays constant as long as frames arrive in time.
 */

import { percentile } from '../percentile.js';

/**
 * How much media must arrive before the playout offset is set for the first time, in ms of media time. The first value
 * is for local frames, and the second for remote frames.
 */
const LOCAL_LOCK = 120;
const REMOTE_LOCK = 250;
/**
 * Number of frames needed to set the playout offset for the first time (the lock), and to confirm this offset later
 * (the firm lock).
 */
const LEAST_FRAMES = 3;
const FIRM_LOCK = 45;
/** Number of initial frames that may have waited in the track's own buffer. */
const WAITED = 8;
/** The playout offset is recalculated when this many frames have arrived too late for their ticks. */
const LATE_FRAMES = 3;
const LATENCIES = 90;
const INTERVALS = 25;
/** The playout offset is at least FLOOR ms above the median latency and at most CAP ms above the smallest latency. */
const FLOOR = 60;
const CAP = 220;
/**
 * When the playout offset is confirmed, frames may wait this much longer than necessary, in ms. The playout offset is
 * reduced slowly, since a sudden correction would skip frames.
 */
const SPARE = 150;
/** How often to check whether the playout offset can be reduced, in ticks. */
const RELAX_EVERY = 900;
const QUEUE = 16;
/** If the latency changes by more than this many ms, the sender's clock is assumed to have been set or restarted. */
const JUMP = 2000;
/**
 * How far the ratio between the frame period and the tick period may deviate from a whole number when the playout
 * offset is set from few frames (ROUGH), when it is set from many frames (NEAR), and afterwards (EXACT).
 */
const ROUGH = 0.06;
const NEAR = 0.02;
const EXACT = 0.01;

/** @param {number} value @param {number} modulus */
const mod = (value, modulus) => ((value % modulus) + modulus) % modulus;

/**
 * Appends a value to a list, and removes the oldest value if the list exceeds its maximum length.
 *
 * @param {number[]} list
 * @param {number} value
 * @param {number} most
 */
function appendLimited(list, value, most) {
  list.push(value);
  if (list.length > most) list.shift();
}

/** @template T the type of the queued items, which are copied images */
export class Cadence {
  /** @type {{item: T, time: number}[]} */
  #queue = [];
  /** The frame period in ms, or 0 while it is unknown. */
  #period = 0;
  /** The last frame's raw and smoothed media time, in ms on the sender's clock. */
  #raw = Number.NaN;
  #media = 0;
  /** When the last frame arrived, in ms on the page's clock. */
  #arrived = Number.NaN;
  /** @type {number[]} */
  #intervals = [];
  /** Arrival time minus media time, in ms, for each of the last frames. @type {number[]} */
  #latencies = [];
  #offset = 0;
  #lockedAt = 0;
  #frames = 0;
  #late = 0;
  #ticks = 0;
  /** The shorter of the tick period and the frame period if it divides the longer one, otherwise 0. */
  #cycle = 0;
  #step;

  /**
   * How much media must arrive before the playout offset is set for the first time, and how much has arrived, in ms of
   * media time.
   */
  #firstLock;
  #mediaTimeSeen = 0;

  /** @param {number} step the tick period, in ms @param {boolean} remote whether the frames arrive over a network */
  constructor(step, remote = true) {
    this.#step = step;
    this.#firstLock = remote ? REMOTE_LOCK : LOCAL_LOCK;
  }

  /**
   * Average time from a frame's arrival to its tick, in ms; 0 until the playout offset has been set. After a frame
   * becomes due, it waits for the next tick: half a period if the frame rate matches the tick rate, otherwise up to a
   * whole period.
   */
  get delay() {
    if (!this.#lockedAt) return 0;
    return this.#offset + Math.min(this.#period, this.#step) / 2 - percentile(this.#latencies, 0.5);
  }

  /**
   * Adds a frame; returns the item that was dropped because the queue was full, or null.
   *
   * @param {T} item
   * @param {number} time the frame's media time on the sender's clock, in ms
   * @param {number} now when the frame arrived, in ms on the page's clock
   * @returns {T | null}
   */
  push(item, time, now) {
    const before = this.#latencies.at(-1);
    if (before !== undefined && Math.abs(now - time - before) > JUMP) this.#restart();
    // If a frame arrives much sooner after the previous frame than their capture times suggest, the previous frame was
    // buffered. The latency of a buffered frame says nothing about the sender, so discard the measurements.
    if (this.#frames < WAITED && now - this.#arrived < (time - this.#raw) / 2) this.#latencies = [];
    this.#arrived = now;
    this.#updateMediaTime(time);
    const latency = now - this.#media;
    appendLimited(this.#latencies, latency, LATENCIES);
    this.#frames += 1;
    if (!this.#lockedAt) this.#offset = Math.max(...this.#latencies) + this.#step / 2;
    else if (latency > this.#offset + 1) this.#late += 1;
    this.#queue.push({ item, time: this.#media });
    return this.#queue.length > QUEUE ? (this.#queue.shift()?.item ?? null) : null;
  }

  /**
   * Returns the frame that is due, and the frames that were skipped before it; null if the previous frame is shown
   * again.
   *
   * @param {number} due the time of the tick, in ms on the page's clock
   * @returns {{item: T, skipped: T[]} | null}
   */
  tick(due) {
    this.#ticks += 1;
    this.#updateOffset(due);
    let last = -1;
    while (last + 1 < this.#queue.length && this.#time(last + 1) + this.#offset <= due) last += 1;
    if (last < 0) return null;
    const passed = this.#queue.splice(0, last + 1).map(({ item }) => item);
    const item = /** @type {T} */ (passed.pop());
    return { item, skipped: passed };
  }

  /** Empties the queue. @returns {T[]} its items */
  clear() {
    return this.#queue.splice(0).map(({ item }) => item);
  }

  /**
   * Discards all measurements that were made before the sender's clock changed. All queued frames become due at once.
   */
  #restart() {
    this.#latencies = [];
    this.#raw = Number.NaN;
    this.#arrived = Number.NaN;
    this.#mediaTimeSeen = 0;
    this.#lockedAt = 0;
    this.#frames = 0;
    this.#late = 0;
    for (const entry of this.#queue) entry.time = Number.NEGATIVE_INFINITY;
  }

  /** @param {number} index */
  #time(index) {
    return /** @type {{item: T, time: number}} */ (this.#queue[index]).time;
  }

  /** Runs a slow phase-locked loop: the media time follows the frame count, and the period follows the media time. */
  #updateMediaTime(/** @type {number} */ time) {
    const interval = time - this.#raw;
    this.#raw = time;
    if (!(interval > 0)) {
      this.#media = time;
      return;
    }
    if (interval < 1000) {
      appendLimited(this.#intervals, interval, INTERVALS);
      this.#mediaTimeSeen += interval;
    }
    if (!this.#period) {
      this.#media = time;
      if (this.#mediaTimeSeen >= this.#firstLock && this.#intervals.length >= LEAST_FRAMES - 1) {
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

  /** Sets the playout offset, corrects it, and slowly reduces it if frames wait too long. @param {number} due */
  #updateOffset(/** @type {number} */ due) {
    if (!this.#lockedAt) {
      if (this.#period && this.#mediaTimeSeen >= this.#firstLock && this.#latencies.length >= LEAST_FRAMES) {
        this.#lockOffset(due);
      }
      return;
    }
    if (this.#late >= LATE_FRAMES) this.#lockOffset(due);
    else if (this.#lockedAt < FIRM_LOCK && this.#frames >= FIRM_LOCK) this.#confirmLock(due);
    // The period is now known more accurately than when the offset was set.
    else if (!this.#cycle) this.#centerOffset(due, EXACT);
    if (this.#ticks % RELAX_EVERY === 0) {
      this.#late = 0;
      const roomy = this.#offset - percentile(this.#latencies, 0.99) > this.#cycle + 20;
      if (this.#cycle && roomy && this.#offset - percentile(this.#latencies, 0.5) > FLOOR + this.#cycle) {
        this.#offset -= this.#cycle;
      }
    }
    if (this.#cycle) {
      const away = mod(due - this.#offset - this.#media, this.#cycle) - this.#cycle / 2;
      this.#offset += Math.min(0.01, Math.max(-0.01, 0.01 * away));
    }
  }

  #lockOffset(/** @type {number} */ due) {
    this.#late = 0;
    this.#lockedAt = this.#frames;
    this.#offset = this.#smallestOffset();
    this.#centerOffset(due, this.#frames < FIRM_LOCK ? ROUGH : NEAR);
  }

  /**
   * Changes the playout offset only if the current measurements yield a much better offset, since each change loses
   * frames.
   */
  #confirmLock(/** @type {number} */ due) {
    const more = this.#offset - this.#smallestOffset();
    const right = this.#cycle > 0 && this.#commonPeriod(NEAR) > 0;
    if (right && more >= 0 && more < Math.max(2 * this.#cycle, SPARE)) this.#lockedAt = this.#frames;
    else this.#lockOffset(due);
  }

  /** Returns the smallest playout offset at which the recent frames would have been on time. */
  #smallestOffset() {
    const recent = this.#latencies.slice(-30);
    const needed = Math.max(percentile(recent, 0.98) + 10, percentile(recent, 0.5) + FLOOR);
    return Math.min(needed, Math.min(...recent) + CAP);
  }

  /** Centers the playout offset between two frames or two ticks if the frame rate matches the tick rate. */
  #centerOffset(/** @type {number} */ due, /** @type {number} */ tolerance) {
    this.#cycle = this.#commonPeriod(tolerance);
    if (this.#cycle) {
      this.#offset += mod(mod(due - this.#offset - this.#media, this.#cycle) - this.#cycle / 2, this.#cycle);
    }
  }

  /**
   * Returns the shorter of the tick period and the frame period if it divides the longer one, otherwise 0.
   *
   * @param {number} tolerance
   */
  #commonPeriod(tolerance) {
    const beat = Math.min(this.#period, this.#step);
    const ratio = Math.max(this.#period, this.#step) / beat;
    return Math.abs(ratio - Math.round(ratio)) < tolerance ? beat : 0;
  }
}
