/** DeviceChoice: select elements for the camera, the microphone and the speaker output. */

import { Emitter } from '../shared/events.js';
import { find } from './page.js';

/** @typedef {import('./language/language.js').Language} Language */

const KINDS = /** @type {const} */ ({
  camera: 'videoinput',
  microphone: 'audioinput',
  speaker: 'audiooutput',
});

/** @typedef {keyof typeof KINDS} Device */

/** Names to show for devices that the browser does not name. @type {Record<Device, string>} */
const UNNAMED = { camera: 'Camera {number}', microphone: 'Microphone {number}', speaker: 'Speaker {number}' };

/**
 * Emits `chosen` with {device, deviceId} when the user chooses a device.
 *
 * @extends {Emitter<{chosen: {device: Device, deviceId: string}}>}
 */
export class DeviceChoice extends Emitter {
  #language;
  /** @type {[Device, HTMLSelectElement][]} */
  #selects;

  /**
   * @param {Document} document
   * @param {string} prefix the prefix for the ids of the select elements
   * @param {Device[]} devices the kinds of devices that have a select element
   * @param {Language} language
   */
  constructor(document, prefix, devices, language) {
    super();
    this.#language = language;
    this.#selects = devices.map((device) => [
      device,
      find(document, `${prefix}-${device}`, HTMLSelectElement),
    ]);
    for (const [device, select] of this.#selects) {
      select.addEventListener('change', () => {
        this.emit('chosen', { device, deviceId: select.value });
      });
    }
    // `mediaDevices` exists only on secure pages.
    navigator.mediaDevices?.addEventListener('devicechange', () => void this.list());
  }

  /** @param {Device} device */
  chosen(device) {
    return this.#selects.find(([one]) => one === device)?.[1].value ?? '';
  }

  /** Selects the device that is in use. @param {Device} device @param {string | undefined} deviceId */
  use(device, deviceId) {
    const select = this.#selects.find(([one]) => one === device)?.[1];
    if (select && [...select.options].some(({ value }) => value === deviceId)) select.value = deviceId ?? '';
  }

  /** @param {Device} device @param {boolean} on */
  allow(device, on) {
    const select = this.#selects.find(([one]) => one === device)?.[1];
    if (select) select.disabled = !on;
  }

  /**
   * Fills the select elements with the browser's devices. If `ask` is true, the browser may ask the user for
   * permission. Without permission, the browser doesn't provide the devices' names.
   *
   * @param {{ask?: boolean}} [options]
   */
  async list({ ask = false } = {}) {
    const { mediaDevices } = navigator;
    if (!mediaDevices) return;
    let devices = await mediaDevices.enumerateDevices();
    if (ask && !devices.some(({ label }) => label)) {
      const stream = await mediaDevices.getUserMedia({ audio: true, video: true });
      for (const track of stream.getTracks()) track.stop();
      devices = await mediaDevices.enumerateDevices();
    }
    for (const [device, select] of this.#selects) {
      const found = devices.filter(({ kind, deviceId }) => kind === KINDS[device] && deviceId !== '');
      this.#fillSelect(device, select, found);
    }
  }

  /** @param {Device} device @param {HTMLSelectElement} select @param {MediaDeviceInfo[]} found */
  #fillSelect(device, select, found) {
    const { t } = this.#language;
    const before = select.value;
    const named = found.map(
      ({ deviceId, label }, number) =>
        new Option(label || t(UNNAMED[device], { number: number + 1 }), deviceId),
    );
    const open = select.querySelector('option[value=""]') !== null || named.length === 0;
    select.replaceChildren(...(open ? [new Option(t('Default'), '')] : []), ...named);
    this.use(device, before);
  }
}
