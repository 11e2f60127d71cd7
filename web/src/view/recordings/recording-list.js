/** RecordingList: lists the recordings in this room, with their states and the results of `verify`. */

import { Emitter } from '../../shared/events.js';
import { fileSize, find, length, setText } from '../page.js';

/**
 * The text of the badge at the end of a row, by state or result.
 *
 * @type {Record<string, [sign: string, words: string]>}
 */
const BADGES = {
  recording: ['', 'recording in progress'],
  failed: ['!', 'failed'],
  verifying: ['…', 'verification in progress'],
  'verified passed': ['✓', 'passed'],
  'verified failed': ['✗', 'a check failed'],
  'verified unverified': ['?', 'not everything could be examined'],
};

/**
 * Emits `opened` with the LibraryItem that the user clicks.
 *
 * @extends {Emitter<{opened: LibraryItem}>}
 */
export class RecordingList extends Emitter {
  #language;
  #section;
  #title;
  #empty;
  #list;
  #template;
  /** @type {Map<string, HTMLLIElement>} */
  #rows = new Map();
  /** @type {LibraryItem[]} */
  #items = [];

  /** @param {Document} document @param {import('../language/language.js').Language} language */
  constructor(document, language) {
    super();
    this.#language = language;
    this.#section = find(document, 'library', HTMLElement);
    this.#title = find(document, 'library-title', HTMLElement);
    this.#empty = find(document, 'library-empty', HTMLElement);
    this.#list = find(document, 'library-list', HTMLElement);
    this.#template = find(document, 'library-item', HTMLTemplateElement);
  }

  focus() {
    this.#title.focus();
  }

  /** @param {LibraryItem[] | null} items the room's recordings, newest first; null if the server keeps no list */
  render(items) {
    this.#section.hidden = items === null;
    this.#items = items ?? [];
    this.#empty.hidden = this.#items.length > 0;
    const ids = new Set(this.#items.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      // Move the keyboard focus to the next row, or to the title.
      const next = row.nextElementSibling ?? row.previousElementSibling;
      const focused = row.contains(row.ownerDocument.activeElement);
      row.remove();
      this.#rows.delete(id);
      if (focused) (next?.querySelector('button') ?? this.#title).focus();
    }
    // Reuse the rows, so that the keyboard focus stays on the same row.
    let after = /** @type {Element | null} */ (null);
    for (const item of this.#items) {
      const row = this.#rows.get(item.id) ?? this.#makeRow(item.id);
      if (row.previousElementSibling !== after || !row.parentElement) {
        if (after) after.after(row);
        else this.#list.prepend(row);
      }
      this.#fillRow(row, item);
      after = row;
    }
  }

  /** @param {string} id */
  #makeRow(id) {
    const copy = /** @type {DocumentFragment} */ (this.#template.content.cloneNode(true));
    const row = /** @type {HTMLLIElement} */ (copy.firstElementChild);
    this.#rows.set(id, row);
    row.querySelector('button')?.addEventListener('click', () => {
      const item = this.#items.find((one) => one.id === id);
      if (item && item.state !== 'recording') this.emit('opened', item);
    });
    return row;
  }

  /** @param {HTMLLIElement} row @param {LibraryItem} item */
  #fillRow(row, item) {
    const { t } = this.#language;
    const button = /** @type {HTMLButtonElement} */ (row.querySelector('button'));
    const name = /** @type {HTMLElement} */ (row.querySelector('strong'));
    const facts = /** @type {HTMLElement} */ (row.querySelector('.quiet'));
    const badge = /** @type {HTMLElement} */ (row.querySelector('.badge'));
    const result = item.result === 'verifying' ? 'verifying' : item.result ? `verified ${item.result}` : '';
    const state = item.state === 'published' ? result : item.state;
    const [sign, words] = BADGES[state] ?? ['', ''];
    // A disabled button can't be focused, so a screen reader would not read it.
    button.ariaDisabled = String(item.state === 'recording');
    row.dataset['state'] = state || 'published';
    setText(name, item.name);
    setText(facts, described(item, t));
    setText(badge, sign);
    const label = words && (item.reason ? `${t(words)}: ${this.#language.translateMessage(item.reason)}` : t(words));
    badge.role = words ? 'img' : null;
    badge.ariaLabel = label || null;
    badge.title = label;
  }
}

/** @param {LibraryItem} item @param {import('../language/language.js').Translate} t */
function described({ participant, duration, size, height }, t) {
  const parts = [participant];
  if (duration !== null) parts.push(length(duration, t));
  if (height !== null) parts.push(`${height}p`);
  if (size !== null) parts.push(fileSize(size));
  return parts.join(' · ');
}
