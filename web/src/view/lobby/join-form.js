/**
 * JoinForm: asks for a name, for the media to publish and, if the server requires it, for a join code. Viewers can open
 * the recordings instead of joining.
 */

import { Emitter } from '../../shared/events.js';
import { parse } from '../../shared/json.js';
import { pause } from '../../shared/promises.js';
import { DeviceChoice } from '../device-choice.js';
import { NO_ANSWER } from '../language/language.js';
import { find, setText } from '../page.js';

/** How often to check whether the server is responding again, in ms. */
const RETRY_EVERY = 1000;

/** Matches the server's error for a missing token or a wrong join code. */
const REFUSED = /^Not admitted/;

const ENDED =
  'The server was unreachable for too long, so the recording ended. The server has saved the part it received.';
const REFUSED_DEVICES =
  'Could not open a camera or microphone. Allow access in the browser, or join with synthetic video and audio.';

/** Patterns for the error messages of some failed joins, each with the text that the page shows instead. */
const EXPLANATIONS = /** @type {const} */ ([
  [/^The server at/, NO_ANSWER],
  [/^Could not open a camera/, REFUSED_DEVICES],
]);

/** @typedef {import('../../client/client.js').JoinOptions} JoinOptions */

/**
 * Joins with the values in the form. If the server refuses the join, the form shows the error. Emits `done` after a
 * join, with a message about a problem that did not prevent the join, or ''.
 *
 * @extends {Emitter<{done: string}>}
 */
export class JoinForm extends Emitter {
  /** The options with which we last joined. @type {JoinOptions | null} */
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
  #viewButton;
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
    this.#viewButton = find(document, 'look', HTMLButtonElement);
    this.#devices = find(document, 'join-devices', HTMLDetailsElement);
    this.#choice = new DeviceChoice(document, 'join', ['camera', 'microphone'], language);
    this.#devices.addEventListener('toggle', () => void this.#listDevices());
    // Clear the problem message as soon as the user types. If the message were cleared only when the user presses the
    // button, the button would move away from the mouse pointer.
    this.#form.addEventListener('input', () => {
      this.showProblem('');
      this.#render();
    });
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#join();
    });
    this.#viewButton.addEventListener('click', () => {
      if (viewer.recordings) viewer.close();
      else void this.#viewRecordings();
    });
    viewer.listen('changed', () => this.#render());
    for (const input of [this.#name, this.#code]) {
      input.addEventListener('input', () => input.removeAttribute('aria-invalid'));
    }
    language.listen('changed', () => {
      // Clear the problem message, which is in the previous language.
      this.showProblem('');
      this.#render();
    });
    this.#render();
    void this.#showCodeField();
  }

  /** Whether a join is in progress. */
  get busy() {
    return this.#button.disabled;
  }

  focus() {
    this.#name.focus();
  }

  /** Shows a problem and focuses the field that caused it. @param {string} problem @param {HTMLInputElement} [input] */
  showProblem(problem, input) {
    setText(this.#problem, problem);
    if (!input) return;
    input.setAttribute('aria-invalid', 'true');
    input.focus();
    input.select();
  }

  /**
   * Joins again with the same options when the server answers. The attempts end when we have joined, when the server
   * refuses the join, or when the signal is aborted.
   *
   * @param {AbortSignal} signal
   */
  async rejoin(signal) {
    const options = this.#last;
    const recorded = this.#client.recording?.running ?? false;
    while (options && !signal.aborted) {
      const server = await readHealth();
      if (server?.ok && !signal.aborted) {
        // Leaving ends a recording in progress. If the recording's connection has been resumed, the server finalizes
        // the file; otherwise, the server recovers the part that it received.
        await this.#client.leave().catch(() => undefined);
        await this.#enter(options, recorded ? ENDED : '');
        return;
      }
      await pause(RETRY_EVERY);
    }
  }

  get #media() {
    return new FormData(this.#form).get('media') === 'synthetic' ? 'synthetic' : 'camera';
  }

  #render() {
    this.#devices.hidden = this.#media === 'synthetic';
    const { t } = this.#language;
    setText(this.#button, t(this.busy ? 'Joining' : 'Join'));
    setText(this.#viewButton, t(this.#viewer.recordings ? 'Close recordings' : 'View recordings only'));
  }

  /** Shows the field for the join code if the server requires a join code. */
  async #showCodeField() {
    const server = await readHealth();
    if (server?.code) this.#codeField.hidden = false;
  }

  /**
   * Lists the devices by name. The browser provides the devices' names once the user has allowed access to the devices.
   */
  async #listDevices() {
    if (!this.#devices.open) return;
    try {
      await this.#choice.list({ ask: true });
    } catch {
      this.showProblem(this.#language.t(REFUSED_DEVICES));
    }
  }

  async #join() {
    if (this.busy) return;
    const { t } = this.#language;
    const name = this.#name.value.trim();
    if (!name) {
      this.showProblem(t('Enter your name.'), this.#name);
      return;
    }
    const code = this.#typedCode;
    const devices = {
      audio: this.#choice.chosen('microphone') || undefined,
      video: this.#choice.chosen('camera') || undefined,
    };
    await this.#enter({ name, media: this.#media, devices, ...(code && { code }) });
  }

  /** Returns the join code in the form, or '' if no join code is required. */
  get #typedCode() {
    return this.#codeField.hidden ? '' : this.#code.value.trim();
  }

  /** Shows the recordings without joining. */
  async #viewRecordings() {
    const code = this.#typedCode;
    this.showProblem('');
    try {
      await this.#viewer.open(code);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      this.#showRefusal(problem, code, 'This code does not give access to the recordings.', this.#viewButton);
    }
  }

  /** @param {JoinOptions} options @param {string} [notice] the text to show after the join */
  async #enter(options, notice = '') {
    this.#last = options;
    this.showProblem('');
    this.#button.disabled = true;
    this.#render();
    let problem = notice;
    try {
      await this.#client.join(options);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    this.#button.disabled = false;
    this.#render();
    if (this.#client.state === 'joined') {
      this.emit('done', this.#language.translateMessage(problem));
    } else
      this.#showRefusal(
        problem,
        options.code ?? '',
        'This is not the join code for this room.',
        this.#button,
      );
  }

  /** @param {string} problem @param {string} code the entered code @param {string} wrong the text to show if the code is wrong @param {HTMLButtonElement} button the pressed button */
  #showRefusal(problem, code, wrong, button) {
    if (!REFUSED.test(problem)) {
      const [, explanation] = EXPLANATIONS.find(([pattern]) => pattern.test(problem)) ?? [];
      this.showProblem(this.#language.translateMessage(explanation ?? problem));
      button.focus();
      return;
    }
    this.#codeField.hidden = false;
    const { t } = this.#language;
    this.showProblem(
      code ? t(wrong) : t('This room requires a code. Ask the server administrator for it.'),
      this.#code,
    );
  }
}

/** Returns the server's health, or null if the server doesn't answer. */
const readHealth = () =>
  fetch('/healthz')
    .then((answer) => answer.text())
    .then((text) => /** @type {{ok: boolean, code: boolean}} */ (parse(text)))
    .catch(() => null);
