/** Watchdog: notices that something no longer makes progress. */

import { pageNow } from './clock.js';

/** How long something may make no progress before that is an alarm, in ms; people see it within two seconds. */
export const STALLED_AFTER = 1500;

/** Reports a stall once, and another one only after it was fed in between. */
export class Watchdog {
  #last = pageNow();
  #reported = false;

  /** @param {number} [limit] ms */
  constructor(limit = STALLED_AFTER) {
    this.limit = limit;
  }

  /** There is progress. */
  feed() {
    this.#last = pageNow();
    this.#reported = false;
  }

  /** Whether a stall has to be reported now. */
  isStalled() {
    if (this.#reported || pageNow() - this.#last <= this.limit) return false;
    this.#reported = true;
    return true;
  }
}
