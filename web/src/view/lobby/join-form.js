/** JoinForm: name, media, and the join code where the server asks for one; or the recordings alone, to look at. */

import { Emitter } from '../../shared/events.js';
import { parse } from '../../shared/json.js';
import { pause } from '../../shared/pause.js';
import { DeviceChoice } from '../device-choice.js';
import { NO_ANSWER } from '../language/language.js';
import { find, say } from '../page.js';

/** How often a server that is gone is asked whether it is back, in ms. */
const AGAIN_EVERY = 1000;

/** How the server refuses somebody without a token or with the wrong code. */
const REFUSED = /^Not admitted/;

const ENDED = 'The server was away for too long: the recording ended, and what it has of it is kept.';
const REFUSED_DEVICES =
  'No camera or microphone could be opened. Allow them in the browser, or join with synthetic ones.';

/** What else keeps people out, in words that help them. */
const PLAIN = /** @type {const} */ ([
  [/^The server at|^No welcome/, NO_ANSWER],
  [/^No camera/, REFUSED_DEVICES],
]);

/** @typedef {import('../../client/client.js').JoinOptions} JoinOptions */

/**
 * Makes a join of what people typed; what went wrong stands in the form. Emits `done` when people are in, with the
 * words for what went wrong all the same, or ''.
 *
 * @extends {Emitter<{done: string}>}
 */
export class JoinForm extends Emitter {
  /** How we joined last. @type {JoinOptions | null} */
  #last = null;
  #client;
  #viewer;
  #language;
  #form;
  #name;
  #codeField;
  #code;
  #problem;
  #button;
  #look;
  #devices;
  #choice;

  /**
   * @param {Document} document
   * @param {import("../../client/client.js").Client} client
   * @param {import('../../library/viewer.js').Viewer} viewer
   * @param {import('../language/language.js').Language} language
   */
  constructor(document, client, viewer, language) {
    super();
    this.#client = client;
    this.#viewer = viewer;
    this.#language = language;
    this.#form = find(document, 'join', HTMLFormElement);
    this.#name = find(document, 'join-name', HTMLInputElement);
    this.#codeField = find(document, 'join-code-field', HTMLElement);
    this.#code = find(document, 'join-code', HTMLInputElement);
    this.#problem = find(document, 'join-problem', HTMLElement);
    this.#button = find(document, 'join-button', HTMLButtonElement);
    this.#look = find(document, 'look', HTMLButtonElement);
    this.#devices = find(document, 'join-devices', HTMLDetailsElement);
    this.#choice = new DeviceChoice(document, 'join', ['camera', 'microphone'], language);
    this.#devices.addEventListener('toggle', () => void this.#listDevices());
    // While people type, not when they go on: a line that goes then moves the button from under the mouse.
    this.#form.addEventListener('input', () => {
      this.tell('');
      this.#render();
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#join();
    });
    this.#look.addEventListener('click', () => {
      if (viewer.recordings) viewer.close();
      else void this.#lookOn();
    });
    viewer.listen('changed', () => this.#render());
    for (const input of [this.#name, this.#code]) {
      input.addEventListener('input', () => input.removeAttribute('aria-invalid'));
    }
    language.listen('changed', () => {
      // It was said in the other language.
      this.tell('');
      this.#render();
    });
    this.#render();
    void this.#askForCode();
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

  /**
   * Joins again as before, as soon as the server answers; ends when we are in, when the server refuses us, or when
   * people ask for it.
   *
   * @param {AbortSignal} signal
   */
  async again(signal) {
    const options = this.#last;
    const recorded = this.#client.recording?.running ?? false;
    while (options && !signal.aborted) {
      const server = await health();
      if (server?.ok && !signal.aborted) {
        // A recording ends here: with a file, where its connection is back, too; else its server keeps what it has.
        await this.#client.leave().catch(() => undefined);
        await this.#enter(options, recorded ? ENDED : '');
        return;
      }
      await pause(AGAIN_EVERY);
    }
  }

  get #media() {
    return new FormData(this.#form).get('media') === 'synthetic' ? 'synthetic' : 'camera';
  }

  #render() {
    this.#devices.hidden = this.#media === 'synthetic';
    const { t } = this.#language;
    say(this.#button, t(this.busy ? 'Joining' : 'Join'));
    say(this.#look, t(this.#viewer.recordings ? 'Close the recordings' : 'Only look at the recordings'));
  }

  /** Shows the field for the code, where one is needed; a server that does not say so still refuses who has none. */
  async #askForCode() {
    const server = await health();
    if (server?.code) this.#codeField.hidden = false;
  }

  /** Names the devices, which the browser does once people have allowed them. */
  async #listDevices() {
    if (!this.#devices.open) return;
    try {
      await this.#choice.list({ ask: true });
    } catch {
      this.tell(this.#language.t(REFUSED_DEVICES));
    }
  }

  async #join() {
    if (this.busy) return;
    const { t } = this.#language;
    const name = this.#name.value.trim();
    if (!name) {
      this.tell(t('Type your name first.'), this.#name);
      return;
    }
    const code = this.#typedCode;
    const devices = {
      audio: this.#choice.chosen('microphone') || undefined,
      video: this.#choice.chosen('camera') || undefined,
    };
    await this.#enter({ name, media: this.#media, devices, ...(code && { code }) });
  }

  /** The code, where the server asks for one. */
  get #typedCode() {
    return this.#codeField.hidden ? '' : this.#code.value.trim();
  }

  /** Shows the recordings to who does not come in. */
  async #lookOn() {
    const code = this.#typedCode;
    this.tell('');
    try {
      await this.#viewer.look(code);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#refused(problem, code, 'That code does not show the recordings.', this.#look);
    }
  }

  /** @param {JoinOptions} options @param {string} [told] what to say when we are in */
  async #enter(options, told = '') {
    this.#last = options;
    this.tell('');
    this.#button.disabled = true;
    this.#render();
    let problem = told;
    try {
      await this.#client.join(options);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    this.#button.disabled = false;
    this.#render();
    if (this.#client.state === 'joined') {
      this.emit('done', this.#language.said(problem));
    } else
      this.#refused(problem, options.code ?? '', 'That is not the join code of this room.', this.#button);
  }

  /** @param {string} problem @param {string} code that was given @param {string} wrong what to say of it @param {HTMLButtonElement} asked */
  #refused(problem, code, wrong, asked) {
    if (!REFUSED.test(problem)) {
      const [, plain] = PLAIN.find(([pattern]) => pattern.test(problem)) ?? [];
      this.tell(this.#language.said(plain ?? problem));
      asked.focus();
      return;
    }
    this.#codeField.hidden = false;
    const { t } = this.#language;
    this.tell(code ? t(wrong) : t('This room has a code. Ask whoever runs the server for it.'), this.#code);
  }
}

/** What the server says of itself; null where it does not answer. */
const health = () =>
  fetch('/healthz')
    .then((answer) => answer.text())
    .then((text) => /** @type {{ok: boolean, code: boolean}} */ (parse(text)))
    .catch(() => null);
