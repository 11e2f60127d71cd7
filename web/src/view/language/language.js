/**
 * Language: shows the page in English or Chinese. The source code contains the English text, and every other language
 * is a map from English strings to translations.
 */

import { Emitter } from '../../shared/events.js';
import { CHINESE, CHINESE_PATTERNS } from './chinese.js';

/** The key under which the chosen language is stored. */
const KEY = 'language';

/** @typedef {'en' | 'zh'} Code */
/** @typedef {Record<string, string | number>} Values */
/**
 * Returns the translation of an English string into the chosen language.
 *
 * @typedef {(english: string, values?: Values) => string} Translate
 */

const DICTIONARIES = /** @type {const} */ ({
  en: { words: {}, patterns: [] },
  zh: { words: CHINESE, patterns: CHINESE_PATTERNS },
});

export const NO_ANSWER = 'The server is not responding. Is it still running?';
/** The names of the errors that occur if a device can't be opened. These errors often have no message. */
const DEVICE_ERRORS = ['OverconstrainedError', 'NotReadableError', 'AbortError', 'NotFoundError'];

/** Attributes with text that the page shows or a screen reader reads. */
const READABLE = ['aria-label', 'placeholder'];

/**
 * Translates the page. Emits `changed` when another language is chosen.
 *
 * @extends {Emitter<{changed: void}>}
 */
export class Language extends Emitter {
  /** @type {Code} */
  code = 'en';
  #document;
  #storage;
  /**
   * The English strings in index.html, each with a function that replaces the string on the page.
   *
   * @type {{put: (text: string) => void, english: string}[]}
   */
  #texts = [];

  /**
   * @param {Document} document
   * @param {readonly string[]} preferred the browser's languages, starting with the preferred one
   * @param {Pick<Storage, 'getItem' | 'setItem'>} storage
   */
  constructor(document, preferred, storage) {
    super();
    this.#document = document;
    this.#storage = storage;
    this.#collect(document.body);
    const chosen = [storage.getItem(KEY), ...preferred].map(codeOf).find((code) => code !== null);
    this.#apply(chosen ?? 'en');
  }

  /** Chooses a language and stores the choice. @param {string} tag */
  choose(tag) {
    const code = codeOf(tag);
    if (code === null || code === this.code) return;
    this.#storage.setItem(KEY, code);
    this.#apply(code);
    this.emit('changed');
  }

  /**
   * Returns the translation of an English string, or the string itself if there is no translation.
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

  /** Translates a message from the client or the server into the chosen language. @param {string} english */
  translateMessage(english) {
    const { words, patterns } = DICTIONARIES[this.code];
    if (english in words) return this.t(english);
    for (const [pattern, text] of patterns) if (pattern.test(english)) return english.replace(pattern, text);
    return english;
  }

  /** Returns a description of an error, even if the error has no message. @param {unknown} error */
  describeError(error) {
    if (!(error instanceof Error)) return this.translateMessage(String(error));
    if (error instanceof TypeError && /fetch/i.test(error.message)) return this.t(NO_ANSWER);
    if (DEVICE_ERRORS.includes(error.name))
      return this.t("The device can't be opened. Another program may be using it.");
    return this.translateMessage(error.message || error.name);
  }

  /** @param {Code} code */
  #apply(code) {
    this.code = code;
    this.#document.documentElement.lang = code === 'zh' ? 'zh-Hans' : 'en';
    for (const { put, english } of this.#texts) put(this.t(english));
  }

  /** Collects all text and labels inside an element. @param {Node} root */
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
    this.#texts.push({ put, english });
  }

  /** @param {Element} element */
  #collectLabels(element) {
    for (const name of READABLE) {
      const english = element.getAttribute(name);
      if (english) this.#texts.push({ put: (words) => element.setAttribute(name, words), english });
    }
  }
}

/** @param {string | null} tag a BCP 47 tag @returns {Code | null} */
const codeOf = (tag) => (/^zh\b/i.test(tag ?? '') ? 'zh' : /^en\b/i.test(tag ?? '') ? 'en' : null);
