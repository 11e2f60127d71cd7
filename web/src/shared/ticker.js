/** Ticker: calls a function in a worker at exact multiples of a step, and never twice for the same multiple. */

import { pageNow } from './clock.js';
import { hasSharedMemory } from './memory.js';

/** A late tick runs at once, but is skipped if it is more than this many steps late. */
const CATCH_UP = 3;

/** @type {(ms: number) => Promise<unknown>} */
const pause = makePause();

function makePause() {
  // With shared memory, Atomics.waitAsync wakes up within 0.5 ms (Chrome fact 32). A worker's timer may be a few ms
  // late. In a background page, only the window's timers are throttled, not a worker's.
  if (hasSharedMemory && 'waitAsync' in Atomics) {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    return (/** @type {number} */ ms) => Promise.resolve(Atomics.waitAsync(cell, 0, 0, ms).value);
  }
  // Timers round down to whole ms, and a second wait for the remaining fraction of a ms would take 4 ms.
  return (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, Math.ceil(ms)));
}

/** Calls `onTick(number, due)` once per step until the ticker is stopped; `due` is in ms on the page's clock. */
export class Ticker {
  #stopped = false;

  /**
   * @param {number} step ms
   * @param {(tick: number, due: number) => void} onTick
   */
  constructor(step, onTick) {
    this.step = step;
    this.onTick = onTick;
    this.origin = 0;
  }

  /**
   * Runs the ticker until `stop` is called. The first tick is due now, or at the time `origin` on the page's clock.
   *
   * @param {number} [origin]
   */
  async run(origin = pageNow()) {
    this.origin = origin;
    let tick = 0;
    while (!this.#stopped) {
      const wait = this.origin + tick * this.step - pageNow();
      if (wait > 0.2) {
        await pause(wait);
        continue;
      }
      const late = Math.floor(-wait / this.step);
      if (late > CATCH_UP) tick += late;
      this.onTick(tick, this.origin + tick * this.step);
      tick += 1;
      // Allow frames to arrive between two late ticks.
      if (late > 0) await pause(0.1);
    }
  }

  stop() {
    this.#stopped = true;
  }
}
