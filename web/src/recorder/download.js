/** Download: a real browser download of the finished file. */

import { pageNow } from '../shared/clock.js';
import { pause } from '../shared/pause.js';

/** Time between two downloads, in ms. Chrome fact 20: of more than ten within a second the rest silently never happen. */
const INTERVAL = 120;

let next = 0;

/** Asks the browser to download a file. @param {{url: string, name: string}} address @param {string} [target] of the link */
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
