/**
 * Library: requests a published recording's URL or report, downloads the recording, or deletes it.
 *
 * Input: calls from the view. Output: requests to /library over HTTP. The list of recordings itself arrives over
 * signaling, through Room or Viewer.
 */

import { HarnessError } from '../shared/errors.js';
import { parse } from '../shared/json.js';

/**
 * The temporary URLs of a recording and of its report, if there is one.
 *
 * @typedef {{url: string, name: string, report: string | null}} Address
 */

export class Library {
  #token;
  #download;

  /**
   * @param {() => string} token the access token for the room that we have joined or whose recordings we view
   * @param {(address: {url: string, name: string}) => Promise<void>} download
   */
  constructor(token, download) {
    this.#token = token;
    this.#download = download;
  }

  /** @param {string} id @returns {Promise<Address>} */
  async address(id) {
    return /** @type {Address} */ (parse(await this.#request('POST', id, '/address')));
  }

  /**
   * Verifies a recording. Verification takes about a tenth of the recording's duration.
   *
   * @param {string} id
   * @param {AbortSignal} signal
   * @returns {Promise<ReportSummary>}
   */
  async verify(id, signal) {
    return /** @type {ReportSummary} */ (parse(await this.#request('POST', id, '/verify', signal)));
  }

  /** @param {string} id */
  async download(id) {
    await this.#download(await this.address(id));
  }

  /** @param {string} id */
  async remove(id) {
    await this.#request('DELETE', id);
  }

  /** @param {string} method @param {string} id @param {string} [action] @param {AbortSignal | null} [signal] */
  async #request(method, id, action = '', signal = null) {
    const headers = { Authorization: `Bearer ${this.#token()}` };
    const response = await fetch(`/library/${encodeURIComponent(id)}${action}`, { method, headers, signal });
    const text = await response.text();
    if (!response.ok) throw new HarnessError('Error', text.trim());
    return text;
  }
}
