/** Health: how a recording is doing, from what the mixer wrote and the server has. */

import { pageNow } from '../shared/clock.js';

/** What counts as now, in ms: the mixer tells of its ticks twice a second. */
const WINDOW = 3000;
const TOLD_WITHIN = 700;

/** Pictures and bytes of the last seconds. */
export class Health {
  /** Page times of what the mixer wrote. @type {number[]} */
  #written = [];
  /** How many bytes the server had, and when. @type {{at: number, bytes: number}[]} */
  #bytes = [];

  /** @param {(number | null)[]} written page times, null for a tick that was given up */
  ticks(written) {
    for (const at of written) if (at !== null) this.#written.push(at);
    const end = this.#written.at(-1) ?? 0;
    this.#written = this.#written.filter((at) => at > end - WINDOW);
  }

  /** @param {number} bytes that the server has */
  acknowledged(bytes) {
    const at = pageNow();
    this.#bytes.push({ at, bytes });
    this.#bytes = this.#bytes.filter((one) => one.at > at - WINDOW);
  }

  /** Pictures a second; null before there is a second of them. */
  get frameRate() {
    const [first] = this.#written;
    const last = this.#written.at(-1);
    if (first === undefined || last === undefined || last - first < 1000) return null;
    const end = Math.max(last, pageNow() - TOLD_WITHIN);
    return ((this.#written.length - 1) / (end - first)) * 1000;
  }

  /** What reaches the server; null before there is a second of it. */
  get bitsPerSecond() {
    const [first] = this.#bytes;
    const last = this.#bytes.at(-1);
    if (!first || !last || last.at - first.at < 1000) return null;
    return ((last.bytes - first.bytes) * 8000) / (last.at - first.at);
  }
}
