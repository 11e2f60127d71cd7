/** Download: makes the browser download the finished file. */

import { pageNow } from '../shared/clock.js';
import { pause } from '../shared/promises.js';

/**
 * Minimum time between two downloads, in ms. If a page starts more than ten downloads within a second, Chrome silently
 * drops the rest (Chrome fact 20).
 */
const INTERVAL = 120;

let next = 0;

/**
 * Makes the browser download a file.
 *
 * @param {{url: string, name: string}} address
 * @param {string} [target] the link's `target` attribute
 */
export async function download({ url, name }, target = '') {
  const wait = next - pageNow();
  next = Math.max(next, pageNow()) + INTERVAL;
  if (wait > 0) await pause(wait);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.target = target;
  link.hidden = true;
  document.body.append(link);
  link.click();
  link.remove();
}
