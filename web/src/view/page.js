/** Page: helpers that the view uses to find elements, set text and format numbers. */

/**
 * Returns the element with this id; throws if the element does not exist or has another type.
 *
 * @template {Element} T
 * @param {Document} document
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function find(document, id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`The page lacks ${kind.name} #${id}.`);
  return element;
}

/**
 * Sets an element's text if it has changed, since a screen reader reads a live region whenever the text is set.
 *
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Formats a time: 75 becomes 1:15, and 3675 becomes 1:01:15. @param {number} seconds */
export function clockTime(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}

/**
 * Formats a finished file's duration; durations below a minute include tenths of a second.
 *
 * @param {number} seconds
 * @param {import('./language/language.js').Translate} t
 */
export const length = (seconds, t) =>
  seconds < 60 ? t('{seconds} s', { seconds: seconds.toFixed(1) }) : clockTime(seconds);

/** Formats a size: 1234567 becomes 1.2 MB. @param {number} bytes */
export function fileSize(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${value.toFixed(value < 10 && power > 1 ? 1 : 0)} ${units[power - 1]}`;
}
