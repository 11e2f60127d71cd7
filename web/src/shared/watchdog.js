/** Watchdog: detects that something has stopped making progress. */

import { pageNow } from './clock.js';

/**
 * How long something may go without progress before an alarm is raised, in ms. With this limit, users see the alarm
 * within two seconds of the stall.
 */
export const STALLED_AFTER = 1500;

/** Reports each stall once. Another stall is reported only if there has been progress in the meantime. */
export class Watchdog {
  #last = pageNow();
  #reported = false;

  /** @param {number} [limit] ms */
  constructor(limit = STALLED_AFTER) {
    this.limit = limit;
  }

  /** Records that there has been progress. */
  feed() {
    this.#last = pageNow();
    this.#reported = false;
  }

  /** Whether there is a stall, even one that has already been reported. */
  get stalled() {
    return pageNow() - this.#last > this.limit;
  }

  /** Returns whether there is a stall that has not been reported yet. */
  isStalled() {
    if (this.#reported || !this.stalled) return false;
    this.#reported = true;
    return true;
  }
}
