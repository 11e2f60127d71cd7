/**
 * SyntheticMedia: a moving image and a tone, both with markers that `verify` reads from the finished file.
 *
 * Input: the participant's name and marker, and the room's clock. Output: a MediaStream. The main modules create a
 * SyntheticMedia for each synthetic participant. The client uses synthetic media, devices and video files through the
 * same interface, LocalMedia.
 */

import { pageNow } from '../shared/clock.js';
import { notSupported, within } from '../shared/errors.js';
import { SyntheticAudio } from './synthetic-audio.js';
import { SyntheticVideo } from './synthetic-video.js';

/**
 * How long a new video's worker may take to paint the first frame, in ms. The old video is sent until the first frame
 * has been painted.
 */
const PAINTED_WITHIN = 10_000;

/** @typedef {import('./synthetic-video.js').Options} Options */

/**
 * Creates the video in a worker and the audio in an AudioContext (Chrome fact 6). The markers in video and audio count
 * from the same start time.
 *
 * @implements {LocalMedia}
 */
export class SyntheticMedia {
  kind = /** @type {const} */ ('synthetic');
  /**
   * Chrome fact 43: a generator's settings contain no width and height before the generator's first frame.
   *
   * @type {VideoSize}
   */
  size = { width: 1280, height: 720, frameRate: 30 };
  #options;
  counterZero = pageNow() + 100;
  #video;
  #audio;

  /** @param {Options} options */
  constructor(options) {
    if (!('MediaStreamTrackGenerator' in globalThis)) {
      throw notSupported("This browser can't create synthetic video; join with camera and microphone.");
    }
    this.#options = options;
    this.#video = new SyntheticVideo(options, this.counterZero, this.size, false);
    this.#audio = new SyntheticAudio(options.marker, this.counterZero);
    this.stream = new MediaStream([this.#video.track, this.#audio.track]);
  }

  /**
   * Sets the offset of the room's clock; called whenever the estimate of the offset improves.
   *
   * @param {number} offset the room's clock minus the page's clock, in ms
   */
  setClock(offset) {
    this.#video.setClock(offset);
  }

  /** Changes the video to 16:9 frames that fit into this size. @param {VideoSize} size */
  fit({ width, height, frameRate }) {
    const wide = Math.min(width, (height * 16) / 9);
    this.size = { width: even(wide), height: even((wide * 9) / 16), frameRate };
    this.#fitVideo();
  }

  /** @param {boolean} on */
  share(on) {
    return this.#replaceVideo(on);
  }

  /** @param {'audio' | 'video'} kind */
  replace(kind) {
    if (kind === 'video') return this.#replaceVideo(this.#video.screen);
    const before = this.#audio.track;
    const track = this.#audio.renew();
    this.#exchangeTrack(before, track);
    return Promise.resolve(track);
  }

  /** @param {boolean} on */
  setSpeaking(on) {
    this.#audio.setSpeaking(on);
  }

  /** @returns {Promise<void>} */
  async close() {
    this.#video.close();
    await this.#audio.close();
  }

  /** Replaces the video once the new video's first frame has been painted. @param {boolean} screen */
  async #replaceVideo(screen) {
    const before = this.#video;
    const fresh = new SyntheticVideo(this.#options, this.counterZero, this.size, screen);
    try {
      await within(fresh.painted, PAINTED_WITHIN, () => 'The synthetic video did not start within 10 s.');
    } catch (error) {
      fresh.close();
      throw error;
    }
    this.#video = fresh;
    this.#fitVideo();
    this.#exchangeTrack(before.track, fresh.track);
    before.close();
    return fresh.track;
  }

  #fitVideo() {
    const { frameRate, ...size } = this.size;
    // The marker's counter increases 30 times per second, so only these frame rates have equal intervals.
    this.#video.fit({ ...size, frameRate: frameRate > 15 ? 30 : 15 });
  }

  /** @param {MediaStreamTrack} before @param {MediaStreamTrack} track */
  #exchangeTrack(before, track) {
    this.stream.removeTrack(before);
    this.stream.addTrack(track);
  }
}

/** @param {number} value */
const even = (value) => 2 * Math.round(value / 2);
