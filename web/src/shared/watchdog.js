/** Watchdog: detects that something has stopped making progress. */

import { pageNow } from './clock.js';

/** Time without progress, in ms, that raises an alarm. The alarm is shown within two seconds. */
export const STALLED_AFTER = 1500;

/** Reports each stall once. A new stall is reported only after progress in between. */
export class Watchdog {
  #last = pageNow();
  #reported = false;

  /** @param {number} [limit] ms */
  constructor(limit = STALLED_AFTER) {
    this.limit = limit;
  }

  /** Notes that there is progress. */
  feed() {
    this.#last = pageNow();
    this.#reported = false;
  }

  /** Returns whether to report a stall now. */
  isStalled() {
    if (this.#reported || pageNow() - this.#last <= this.limit) return false;
    this.#reported = true;
    return true;
  }
}
