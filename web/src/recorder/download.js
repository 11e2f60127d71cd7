/** A real browser download of the finished file. */

import { pageNow } from '../shared/clock.js';
import { pause } from '../shared/pause.js';

/** Chrome fact 20: of more than ten downloads within a second the rest silently never happen. Time between two, in ms. */
const APART = 120;

let next = 0;

/** Resolves when the browser has been asked. @param {{url: string, name: string}} address @param {string} [target] of the link */
export async function download({ url, name }, target = '') {
  const wait = next - pageNow();
  next = Math.max(next, pageNow()) + APART;
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
