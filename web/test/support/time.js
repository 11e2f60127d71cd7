/** FakeTime: a clock and timers that the test controls. */

import { allSettled, replaceGlobal } from './globals.js';

/** Replaces `performance.now` and the timers for one test. Time passes only when the test calls `pass`. */
export class FakeTime {
  /** The current time in ms, as returned by `performance.now`. */
  now = 1000;
  /** How late timers fire, in ms. */
  lateness = () => 0;
  /** @type {{at: number, call: () => void, every: number | null, id: number}[]} */
  #timers = [];
  #last = 0;

  /** @param {{after(restore: () => void): void}} test */
  constructor(test) {
    Object.defineProperty(performance, 'now', { configurable: true, value: () => this.now });
    test.after(() => Reflect.deleteProperty(performance, 'now'));
    const clear = (/** @type {number} */ id) => {
      this.#timers = this.#timers.filter((timer) => timer.id !== id);
    };
    replaceGlobal(test, 'setTimeout', (/** @type {() => void} */ call, ms = 0) => this.#add(call, ms, null));
    replaceGlobal(test, 'setInterval', (/** @type {() => void} */ call, ms = 0) => this.#add(call, ms, ms));
    replaceGlobal(test, 'clearTimeout', clear);
    replaceGlobal(test, 'clearInterval', clear);
  }

  /** Advances the time, and runs the timers that become due, in order. @param {number} ms */
  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      await allSettled();
      const [next] = this.#timers.toSorted((a, b) => a.at - b.at);
      if (!next || next.at > end) break;
      this.now = Math.max(this.now, next.at);
      if (next.every === null) this.#timers.splice(this.#timers.indexOf(next), 1);
      else next.at = this.now + next.every;
      next.call();
    }
    this.now = Math.max(this.now, end);
  }

  /** @param {() => void} call @param {number} ms @param {number | null} every */
  #add(call, ms, every) {
    this.#last += 1;
    this.#timers.push({ at: this.now + Math.max(0, ms) + this.lateness(), call, every, id: this.#last });
    return this.#last;
  }
}
