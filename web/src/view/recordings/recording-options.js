/** RecordingOptions: the form with the options for startMediaRecording. */

import { Emitter } from '../../shared/events.js';
import { find } from '../page.js';

const CODECS = /** @type {const} */ (['vp9', 'vp8', 'av1']);

/**
 * Emits `submit` when the user presses Enter.
 *
 * @extends {Emitter<{submit: void}>}
 */
export class RecordingOptions extends Emitter {
  #fields;
  #recorder;
  #type;
  #quality;
  #frameRate;
  #layout;
  #codec;
  #names;
  #name;

  /** @param {Document} document */
  constructor(document) {
    super();
    this.#fields = find(document, 'recording-fields', HTMLFieldSetElement);
    this.#recorder = find(document, 'recorder', HTMLSelectElement);
    this.#type = find(document, 'record-type', HTMLSelectElement);
    this.#quality = find(document, 'quality', HTMLSelectElement);
    this.#frameRate = find(document, 'frame-rate', HTMLSelectElement);
    this.#layout = find(document, 'layout', HTMLSelectElement);
    this.#codec = find(document, 'codec', HTMLSelectElement);
    this.#names = find(document, 'names', HTMLInputElement);
    this.#name = find(document, 'record-name', HTMLInputElement);
    this.#type.addEventListener('change', () => this.#updateEnabled());
    find(document, 'recording-options', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.emit('submit');
    });
    // When the user returns to the page, the browser restores the earlier choices.
    this.#updateEnabled();
  }

  /** Enables or disables the options. @param {boolean} on */
  allow(on) {
    this.#fields.disabled = !on;
  }

  /** @returns {RecordOptions} */
  get chosen() {
    return {
      recorder: this.#recorder.value === 'local' ? 'local' : 'all',
      recordConfig: {
        recordType: this.#type.value === 'audio' ? 'audio' : 'video',
        recordName: this.#name.value.trim(),
        recordVideoQuality: Number(this.#quality.value),
        recordVideoFrame: Number(this.#frameRate.value),
        layout: this.#layout.value === 'speaker' ? 'speaker' : 'grid',
        names: this.#names.checked,
        codec: CODECS.find((codec) => codec === this.#codec.value) ?? 'vp9',
      },
    };
  }

  /** Disables the video options if only audio is recorded. */
  #updateEnabled() {
    const videoOptions = [this.#quality, this.#frameRate, this.#layout, this.#codec, this.#names];
    for (const input of videoOptions) input.disabled = this.#type.value === 'audio';
  }
}
