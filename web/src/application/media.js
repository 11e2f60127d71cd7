/** ApplicationMedia: the tracks that an application sends. */

import { invalidState } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { videoSizeOf } from '../webrtc/tracks.js';
import { VirtualDevices } from './virtual-devices.js';

/**
 * Emits `changed` when the application sends different tracks or switches its tracks on or off. Only the application
 * itself can switch its tracks on or off.
 *
 * @implements {LocalMedia}
 * @extends {Emitter<{changed: void}>}
 */
export class ApplicationMedia extends Emitter {
  kind = /** @type {const} */ ('application');
  /** The tracks that are sent: at most one video and one audio track. */
  stream = new MediaStream();
  #hooks;
  #source;
  #onSending = () => this.#updateTracks();

  /**
   * @param {ApplicationHooks} hooks
   * @param {LocalMedia | null} source the media for the application's virtual camera and microphone; null if the
   * application uses its own devices
   */
  constructor(hooks, source) {
    super();
    this.#hooks = hooks;
    this.#source = source;
    hooks.camera = source && new VirtualDevices(source);
    hooks.addEventListener('sending', this.#onSending);
    this.#updateTracks();
  }

  get size() {
    return videoSizeOf(this.stream);
  }

  /** Returns whether a track of this kind is sent and enabled. @param {'audio' | 'video'} kind */
  sends(kind) {
    return this.stream.getTracks().some((track) => track.kind === kind && track.enabled);
  }

  /** @param {number} offset */
  setClock(offset) {
    this.#source?.setClock(offset);
  }

  fit() {
    // The application chooses the size of its video.
  }

  /** @returns {Promise<MediaStreamTrack>} */
  share() {
    return Promise.reject(belongsToApplication());
  }

  /** @returns {Promise<MediaStreamTrack>} */
  replace() {
    return Promise.reject(belongsToApplication());
  }

  /** @param {boolean} on */
  setSpeaking(on) {
    if (!this.#source) throw invalidState('setSpeaking is available only for synthetic participants.');
    this.#source.setSpeaking(on);
  }

  async close() {
    this.#hooks.removeEventListener('sending', this.#onSending);
    this.#hooks.camera = null;
    await this.#source?.close();
  }

  #updateTracks() {
    const sent = [...this.#hooks.connections]
      .flatMap((connection) => connection.getSenders())
      .map(({ track }) => track)
      .filter((track) => track !== null && track.readyState === 'live');
    for (const kind of ['audio', 'video']) {
      const before = this.stream.getTracks().find((track) => track.kind === kind);
      const now = sent.find((track) => track === before) ?? sent.find((track) => track?.kind === kind);
      if (before === now) continue;
      if (before) this.stream.removeTrack(before);
      if (now) this.stream.addTrack(now);
    }
    this.emit('changed');
  }
}

const belongsToApplication = () =>
  invalidState('Screen sharing and devices are controlled by the application; change them there.');
