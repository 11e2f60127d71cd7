/**
 * Language: the page in the words of whoever reads it. English is what stands in the sources; another language is a
 * map from that.
 */

import { Emitter } from '../../shared/events.js';
import { CHINESE, CHINESE_PATTERNS } from './chinese.js';

/** Where the choice is remembered. */
const KEY = 'language';

/** @typedef {'en' | 'zh'} Code */
/** @typedef {Record<string, string | number>} Values */
/** Words in the language that is chosen. @typedef {(english: string, values?: Values) => string} Translate */

const DICTIONARIES = /** @type {const} */ ({
  en: { words: {}, patterns: [] },
  zh: { words: CHINESE, patterns: CHINESE_PATTERNS },
});

export const NO_ANSWER = 'The server does not answer. Is it still running?';
/** What browsers say, without words, of a device that can't be had. */
const DEVICE_TROUBLE = ['OverconstrainedError', 'NotReadableError', 'AbortError', 'NotFoundError'];

/** Attributes that people read or hear. */
const SPOKEN = ['aria-label', 'placeholder'];

/**
 * Emits `changed` when another language is chosen.
 *
 * @extends {Emitter<{changed: void}>}
 */
export class Language extends Emitter {
  /** @type {Code} */
  code = 'en';
  #document;
  #storage;
  /** What stands on the page from the beginning, in English. @type {{put: (text: string) => void, english: string}[]} */
  #written = [];

  /**
   * @param {Document} document
   * @param {readonly string[]} preferred as the browser has them, the best first
   * @param {Pick<Storage, 'getItem' | 'setItem'>} storage
   */
  constructor(document, preferred, storage) {
    super();
    this.#document = document;
    this.#storage = storage;
    this.#collect(document.body);
    const chosen = [storage.getItem(KEY), ...preferred].map(codeOf).find((code) => code !== null);
    this.#use(chosen ?? 'en');
  }

  /** Chooses a language, here and for the next time. @param {string} wished */
  choose(wished) {
    const code = codeOf(wished);
    if (code === null || code === this.code) return;
    this.#storage.setItem(KEY, code);
    this.#use(code);
    this.emit('changed');
  }

  /**
   * Returns words in the language that is chosen; what it has no words for stays English.
   *
   * @type {Translate}
   */
  t = (english, values = {}) => {
    const { words } = DICTIONARIES[this.code];
    const text = /** @type {Record<string, string>} */ (words)[english] ?? english;
    return text.replaceAll(/\{(\w+)\}/g, (whole, /** @type {string} */ name) =>
      String(values[name] ?? whole),
    );
  };

  /** Returns what was said elsewhere, by the client or the server, in the language that is chosen. @param {string} english */
  said(english) {
    const { words, patterns } = DICTIONARIES[this.code];
    if (english in words) return this.t(english);
    for (const [pattern, text] of patterns) if (pattern.test(english)) return english.replace(pattern, text);
    return english;
  }

  /** Returns what went wrong, in words that help where the browser has none. @param {unknown} error */
  error(error) {
    if (!(error instanceof Error)) return this.said(String(error));
    if (error instanceof TypeError && /fetch/i.test(error.message)) return this.t(NO_ANSWER);
    if (DEVICE_TROUBLE.includes(error.name))
      return this.t("The device can't be used; another program may have it.");
    return this.said(error.message || error.name);
  }

  /** @param {Code} code */
  #use(code) {
    this.code = code;
    this.#document.documentElement.lang = code === 'zh' ? 'zh-Hans' : 'en';
    for (const { put, english } of this.#written) put(this.t(english));
  }

  /** Remembers every text and label below an element. @param {Node} root */
  #collect(root) {
    const walker = this.#document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node instanceof HTMLTemplateElement) this.#collect(node.content);
      if (node instanceof Element) this.#collectLabels(node);
      else if (node.nodeValue?.trim()) this.#collectText(/** @type {Text} */ (node));
    }
  }

  /** @param {Text} text */
  #collectText(text) {
    const english = text.data.trim().replaceAll(/\s+/g, ' ');
    const [before] = /^\s*/.exec(text.data) ?? [''];
    const put = (/** @type {string} */ words) => {
      text.data = before + words + (/\s$/.test(text.data) ? ' ' : '');
    };
    this.#written.push({ put, english });
  }

  /** @param {Element} element */
  #collectLabels(element) {
    for (const name of SPOKEN) {
      const english = element.getAttribute(name);
      if (english) this.#written.push({ put: (words) => element.setAttribute(name, words), english });
    }
  }
}

/** @param {string | null} tag a BCP 47 tag @returns {Code | null} */
const codeOf = (tag) => (/^zh\b/i.test(tag ?? '') ? 'zh' : /^en\b/i.test(tag ?? '') ? 'en' : null);
