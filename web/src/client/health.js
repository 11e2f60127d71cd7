/** Health: a recording's frame rate and bitrate, measured over the last few seconds. */

import { pageNow } from '../shared/clock.js';

/** The period over which the frame rate and bitrate are measured, in ms. */
const WINDOW = 3000;
/**
 * The mixer reports its ticks twice per second. If the next report has not arrived after this time in ms, the report
 * counts as missing.
 */
const REPORTED_WITHIN = 700;

export class Health {
  /** When the mixer wrote each of the latest frames, on the page's clock. @type {number[]} */
  #written = [];
  /**
   * The number of acknowledged bytes at each update, and the time of the update on the page's clock.
   *
   * @type {{at: number, bytes: number}[]}
   */
  #bytes = [];

  /** @param {(number | null)[]} written the time of each tick on the page's clock, or null for a skipped tick */
  addTicks(written) {
    for (const at of written) if (at !== null) this.#written.push(at);
    const end = this.#written.at(-1) ?? 0;
    this.#written = this.#written.filter((at) => at > end - WINDOW);
  }

  /** @param {number} bytes the number of bytes that the server has acknowledged */
  addAcknowledged(bytes) {
    const at = pageNow();
    this.#bytes.push({ at, bytes });
    this.#bytes = this.#bytes.filter((one) => one.at > at - WINDOW);
  }

  /** Frames per second; null until one second has been measured. */
  get frameRate() {
    const [first] = this.#written;
    const last = this.#written.at(-1);
    if (first === undefined || last === undefined || last - first < 1000) return null;
    const end = Math.max(last, pageNow() - REPORTED_WITHIN);
    return ((this.#written.length - 1) / (end - first)) * 1000;
  }

  /** Bits per second that the server acknowledges; null until one second has been measured. */
  get bitsPerSecond() {
    const [first] = this.#bytes;
    const last = this.#bytes.at(-1);
    if (!first || !last || last.at - first.at < 1000) return null;
    return ((last.bytes - first.bytes) * 8000) / (last.at - first.at);
  }
}
