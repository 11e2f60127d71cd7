/** Watchdog: notices that something stands still. */

import { pageNow } from './clock.js';

/** How long something may stand still before it is an alarm, in ms; people are told within two seconds. */
export const STILL = 1500;

/** Tells once when nothing moved for too long, and again only after it has moved meanwhile. */
export class Watchdog {
  #last = pageNow();
  #told = false;

  /** @param {number} [limit] ms */
  constructor(limit = STILL) {
    this.limit = limit;
  }

  /** It moves. */
  moved() {
    this.#last = pageNow();
    this.#told = false;
  }

  /** Whether this is the moment to tell. */
  barks() {
    if (this.#told || pageNow() - this.#last <= this.limit) return false;
    this.#told = true;
    return true;
  }
}
