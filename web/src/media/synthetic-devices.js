/**
 * SyntheticDevices: the synthetic camera, microphone and screen that an application gets in place of the browser's
 * devices.
 *
 * Input: the participant's name and marker, and the room's clock. Output: tracks. Each video has its own worker, so
 * that each of the application's tracks can have its own size, as with a real camera.
 */

import { pageNow } from '../shared/clock.js';
import { notSupported } from '../shared/errors.js';
import { screenMarker } from '../shared/marker.js';
import { SyntheticAudio } from './synthetic-audio.js';
import { SyntheticVideo } from './synthetic-video.js';

/** @typedef {import('./synthetic-video.js').Options} Options */

/** @implements {DeviceSource} */
export class SyntheticDevices {
  kind = /** @type {const} */ ('synthetic');
  videoRange = {
    width: { min: 2, max: 1920 },
    height: { min: 2, max: 1080 },
    frameRate: { min: 1, max: 30 },
  };
  // The marker's counter increases 30 times per second.
  steadyRates = [1, 2, 3, 5, 6, 10, 15, 30];
  videoSize = { width: 1280, height: 720, frameRate: 30 };
  #options;
  /** All videos and tones count from the same start time. */
  counterZero = pageNow() + 100;
  /** @type {Set<SyntheticVideo>} */
  #videos = new Set();
  #voice;
  /** The shared screen's tone; null while no track of this tone is open. @type {SyntheticAudio | null} */
  #screenAudio = null;
  #screenAudioTracks = 0;

  /** @param {Options} options */
  constructor(options) {
    if (!('MediaStreamTrackGenerator' in globalThis)) {
      throw notSupported("This browser can't create synthetic video; use the browser's own devices.");
    }
    this.#options = options;
    this.#voice = new SyntheticAudio(options.marker, this.counterZero);
  }

  has() {
    return true;
  }

  /** @param {'camera' | 'screen'} device @param {VideoSize} size @returns {DeviceMedia} */
  openVideo(device, size) {
    const screen = device === 'screen';
    const marker = screen ? screenMarker(this.#options.marker) : this.#options.marker;
    const video = new SyntheticVideo({ ...this.#options, marker }, this.counterZero, size, screen);
    this.#videos.add(video);
    // A clone of the generator is a plain MediaStreamTrack, like a device's track.
    const track = video.track.clone();
    // The content hint "detail" makes WebRTC treat the video as a shared screen.
    track.contentHint = screen ? 'detail' : '';
    return {
      track,
      ready: video.painted,
      fit: (changed) => video.fit(changed),
      close: () => {
        this.#videos.delete(video);
        video.close();
      },
    };
  }

  /** @param {'microphone' | 'screen'} device @returns {DeviceMedia} */
  openAudio(device) {
    const screen = device === 'screen';
    const audio = screen ? this.#openScreenAudio() : this.#voice;
    return {
      track: audio.track.clone(),
      ready: Promise.resolve(),
      fit: () => undefined,
      close: () => {
        if (screen) this.#closeScreenAudio();
      },
    };
  }

  /** @param {number} offset the room's clock minus the page's clock, in ms */
  setClock(offset) {
    for (const video of this.#videos) video.setClock(offset);
  }

  /** @param {boolean} on */
  setSpeaking(on) {
    this.#voice.setSpeaking(on);
  }

  async close() {
    for (const video of this.#videos) video.close();
    this.#videos.clear();
    await Promise.all([this.#voice.close(), this.#screenAudio?.close()]);
  }

  #openScreenAudio() {
    this.#screenAudioTracks += 1;
    this.#screenAudio ??= new SyntheticAudio(screenMarker(this.#options.marker), this.counterZero);
    return this.#screenAudio;
  }

  #closeScreenAudio() {
    this.#screenAudioTracks -= 1;
    if (this.#screenAudioTracks > 0) return;
    void this.#screenAudio?.close();
    this.#screenAudio = null;
  }
}
