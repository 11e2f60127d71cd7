/** JoinForm: name, media, and the join code where the server asks for one. */

import { find, say, words } from './page.js';

/** How the server refuses somebody without a token or with the wrong code. */
const REFUSED = /^Not admitted/;

/** What else keeps people out, in words that help them. */
const PLAIN = /** @type {const} */ ([
  [/^The server at|^No welcome/, 'The server does not answer. Is it still running?'],
  [
    /^No camera/,
    'No camera or microphone could be opened. Allow them in the browser, or join with synthetic ones.',
  ],
]);

/**
 * Makes a join of what people typed; what went wrong stands in the form. Emits `done` when people are in, with the
 * words for what went wrong all the same, or ''.
 */
export class JoinForm extends EventTarget {
  #client;
  #form;
  #name;
  #codeField;
  #code;
  #problem;
  #button;

  /** @param {Document} document @param {import("../client.js").Client} client */
  constructor(document, client) {
    super();
    this.#client = client;
    this.#form = find(document, 'join', HTMLFormElement);
    this.#name = find(document, 'join-name', HTMLInputElement);
    this.#codeField = find(document, 'join-code-field', HTMLElement);
    this.#code = find(document, 'join-code', HTMLInputElement);
    this.#problem = find(document, 'join-problem', HTMLElement);
    this.#button = find(document, 'join-button', HTMLButtonElement);
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#join();
    });
    for (const input of [this.#name, this.#code]) {
      input.addEventListener('input', () => input.removeAttribute('aria-invalid'));
    }
  }

  /** Whether a join is under way. */
  get busy() {
    return this.#button.disabled;
  }

  focus() {
    this.#name.focus();
  }

  /** Says what went wrong, and where it can be mended. @param {string} problem @param {HTMLInputElement} [input] */
  tell(problem, input) {
    say(this.#problem, problem);
    if (!input) return;
    input.setAttribute('aria-invalid', 'true');
    input.focus();
    input.select();
  }

  async #join() {
    if (this.busy) return;
    const name = this.#name.value.trim();
    if (!name) {
      this.tell('Type your name first.', this.#name);
      return;
    }
    const media = new FormData(this.#form).get('media') === 'synthetic' ? 'synthetic' : 'camera';
    const asked = !this.#codeField.hidden;
    const code = asked ? this.#code.value.trim() : '';
    this.tell('');
    this.#button.disabled = true;
    say(this.#button, 'Joining');
    let problem = '';
    try {
      await this.#client.join({ name, media, ...(code && { code }) });
    } catch (error) {
      problem = words(error);
    }
    this.#button.disabled = false;
    say(this.#button, 'Join');
    if (this.#client.state === 'joined') this.dispatchEvent(new CustomEvent('done', { detail: problem }));
    else this.#refused(problem, code);
  }

  /** @param {string} problem @param {string} code */
  #refused(problem, code) {
    if (!REFUSED.test(problem)) {
      const [, plain] = PLAIN.find(([pattern]) => pattern.test(problem)) ?? [];
      this.tell(plain ?? problem);
      this.#button.focus();
      return;
    }
    this.#codeField.hidden = false;
    this.tell(
      code
        ? 'That is not the join code of this room.'
        : 'This room has a join code. Ask whoever runs the server for it.',
      this.#code,
    );
  }
}
