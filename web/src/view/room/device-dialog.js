/** DeviceDialog: switches the camera, the microphone and the speaker output while the user is in the room. */

import { DeviceChoice } from '../device-choice.js';
import { find, setText } from '../page.js';

/** @typedef {import('../../client/client.js').Client} Client */

export class DeviceDialog {
  #client;
  #language;
  #dialog;
  #note;
  #problem;
  #choice;
  #setSpeaker;
  #speaker = 'default';

  /**
   * @param {Document} document
   * @param {Client} client
   * @param {import('../language/language.js').Language} language
   * @param {(speaker: string) => Promise<void>} setSpeaker selects the speaker output for all participants
   */
  constructor(document, client, language, setSpeaker) {
    this.#client = client;
    this.#language = language;
    this.#setSpeaker = setSpeaker;
    this.#dialog = find(document, 'device-dialog', HTMLDialogElement);
    this.#note = find(document, 'device-note', HTMLElement);
    this.#problem = find(document, 'device-problem', HTMLElement);
    this.#choice = new DeviceChoice(document, 'room', ['camera', 'microphone', 'speaker'], language);
    find(document, 'devices', HTMLButtonElement).addEventListener('click', () => void this.#open());
    find(document, 'device-close', HTMLButtonElement).addEventListener('click', () => this.#dialog.close());
    this.#choice.listen('chosen', ({ device, deviceId }) => void this.#useDevice(device, deviceId));
  }

  close() {
    this.#dialog.close();
  }

  async #open() {
    const { media, screen } = this.#client;
    const real = media?.kind === 'camera';
    const { t } = this.#language;
    setText(this.#problem, '');
    setText(
      this.#note,
      real
        ? screen
          ? t('Stop sharing your screen to choose a camera.')
          : ''
        : t('You joined with synthetic video and audio.'),
    );
    this.#choice.allow('camera', real && !screen);
    this.#choice.allow('microphone', real);
    this.#dialog.showModal();
    await this.#choice.list();
    this.#showUsed();
  }

  /** Selects the current devices. */
  #showUsed() {
    for (const track of this.#client.media?.stream.getTracks() ?? []) {
      this.#choice.use(track.kind === 'video' ? 'camera' : 'microphone', track.getSettings().deviceId);
    }
    this.#choice.use('speaker', this.#speaker);
  }

  /** @param {string} device @param {string} deviceId */
  async #useDevice(device, deviceId) {
    setText(this.#problem, '');
    try {
      if (device === 'speaker') {
        await this.#setSpeaker(deviceId);
        this.#speaker = deviceId;
      } else await this.#client.replaceDevice(device === 'camera' ? 'video' : 'audio', deviceId);
    } catch (error) {
      setText(this.#problem, this.#language.describeError(error));
      this.#showUsed();
    }
  }
}
