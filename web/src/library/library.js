/** Library: what the page asks the server about recordings that are kept there. Who is in is told over signalling. */

import { HarnessError } from '../shared/errors.js';
import { parse } from '../shared/json.js';

/** Where a film, and its report if it has one, can be looked at for a while. @typedef {{url: string, name: string, report: string | null}} Watch */

export class Library {
  #token;
  #download;

  /**
   * @param {() => string} token of the room that we are in, or look at
   * @param {(address: {url: string, name: string}) => Promise<void>} download
   */
  constructor(token, download) {
    this.#token = token;
    this.#download = download;
  }

  /** @param {string} id @returns {Promise<Watch>} */
  async address(id) {
    return /** @type {Watch} */ (parse(await this.#ask('POST', id, '/address')));
  }

  /** Resolves when the file has been read, which takes a tenth of its length or so. @param {string} id @param {AbortSignal} signal @returns {Promise<VerdictReport>} */
  async verify(id, signal) {
    return /** @type {VerdictReport} */ (parse(await this.#ask('POST', id, '/verify', signal)));
  }

  /** @param {string} id */
  async download(id) {
    await this.#download(await this.address(id));
  }

  /** @param {string} id */
  async remove(id) {
    await this.#ask('DELETE', id);
  }

  /** @param {string} method @param {string} id @param {string} [what] @param {AbortSignal | null} [signal] */
  async #ask(method, id, what = '', signal = null) {
    const headers = { Authorization: `Bearer ${this.#token()}` };
    const answer = await fetch(`/library/${encodeURIComponent(id)}${what}`, { method, headers, signal });
    const text = await answer.text();
    if (!answer.ok) throw new HarnessError('Error', text.trim());
    return text;
  }
}
