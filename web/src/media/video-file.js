/** VideoFileMedia: plays a video file in a loop, in place of a camera and a microphone. */

import { HarnessError, invalidState, within } from '../shared/errors.js';
import { TurnedFrames, isTurned } from './turned-frames.js';

/** How long a video file may take to show its first frame, in ms. */
const LOADED_WITHIN = 10_000;
/**
 * Maximum difference between a frame's media time and its display time, in ms. A larger difference means that playback
 * stalled or restarted, so the media time is aligned with the display time again.
 */
const MOST_DEVIATION = 250;

/**
 * A media element's captureStream is not accurate enough: its audio is 0.1 s early, and it samples frames on a separate
 * clock, so that some frames are repeated and others are skipped.
 *
 * @implements {LocalMedia}
 */
export class VideoFileMedia {
  kind = /** @type {const} */ ('video-file');
  stream = new MediaStream();
  #element;
  /** @type {AudioContext | null} */
  #context = null;
  #callback = 0;

  /** @param {HTMLVideoElement} element a video element that has loaded the file but is not playing yet */
  constructor(element) {
    this.#element = element;
    // Use captureStream here, since there is no other way to find out which tracks the file has.
    const { captureStream } = /** @type {{captureStream: () => MediaStream}} */ (
      /** @type {unknown} */ (element)
    );
    for (const track of captureStream.call(element).getTracks()) {
      track.stop();
      this.stream.addTrack(track.kind === 'video' ? this.#captureVideo() : this.#captureAudio());
    }
  }

  /**
   * Plays the file at a URL; if the file can't be played, the error contains the browser's reason.
   *
   * @param {string} address
   */
  static async open(address) {
    const element = document.createElement('video');
    // Without CORS, frames can't be read if the file comes from another origin.
    element.crossOrigin = 'anonymous';
    element.loop = true;
    element.src = address;
    try {
      await within(loaded(element), LOADED_WITHIN, () => 'no data arrived within 10 s');
      const media = new VideoFileMedia(element);
      await element.play();
      return media;
    } catch (error) {
      element.removeAttribute('src');
      const reason = error instanceof Error ? error.message : String(error);
      const name = decodeURIComponent(address.split('/').pop() ?? '');
      const remedy = `Convert it to WebM with VP9 and Opus: ffmpeg -i ${name} video.webm`;
      throw new HarnessError('Error', `This browser can't play ${name} (${reason}). ${remedy}`);
    }
  }

  /** @returns {VideoSize} */
  get size() {
    const { videoWidth, videoHeight } = this.#element;
    return { width: videoWidth || 1280, height: videoHeight || 720, frameRate: 30 };
  }

  setClock() {
    // A video file contains no harness markers, so it needs no clock.
  }

  fit() {
    // A video file has a fixed size. The sender scales it down.
  }

  /** @returns {Promise<MediaStreamTrack>} */
  share() {
    return Promise.reject(notPossible('has no screen to share'));
  }

  /** @returns {Promise<MediaStreamTrack>} */
  replace() {
    return Promise.reject(notPossible("can't switch devices"));
  }

  setSpeaking() {
    throw invalidState(
      'setSpeaking is available only for synthetic participants; join with synthetic media.',
    );
  }

  async close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.#element.cancelVideoFrameCallback(this.#callback);
    this.#element.pause();
    this.#element.removeAttribute('src');
    this.#element.load();
    await this.#context?.close();
  }

  /** Captures every frame when it is shown, turns it upright, and converts its media time to the page's clock. */
  #captureVideo() {
    const track = new MediaStreamTrackGenerator({ kind: 'video' });
    const writer = track.writable.getWriter();
    const turnedFrames = new TurnedFrames();
    let shift = NaN;
    const next = () => {
      this.#callback = this.#element.requestVideoFrameCallback(capture);
    };
    /** @param {VideoFrame} frame */
    const write = (frame) => {
      // A stopped track rejects frames.
      writer.write(frame).catch(() => frame.close());
      next();
    };
    /** @type {VideoFrameRequestCallback} */
    const capture = (_, { mediaTime, expectedDisplayTime }) => {
      const own = mediaTime * 1000;
      if (!(Math.abs(own + shift - expectedDisplayTime) < MOST_DEVIATION)) shift = expectedDisplayTime - own;
      const frame = new VideoFrame(this.#element, { timestamp: Math.round((own + shift) * 1000) });
      // The next frame is requested after this frame has been turned, so frames are skipped if turning takes longer
      // than a frame lasts.
      if (isTurned(frame)) turnedFrames.turn(frame).then(write, next);
      else write(frame);
    };
    next();
    return track;
  }

  /** Routes the audio to a track instead of the speakers. */
  #captureAudio() {
    const context = new AudioContext();
    const destination = new MediaStreamAudioDestinationNode(context);
    new MediaElementAudioSourceNode(context, { mediaElement: this.#element }).connect(destination);
    this.#context = context;
    return /** @type {MediaStreamTrack} */ (destination.stream.getAudioTracks()[0]);
  }
}

/** @param {HTMLMediaElement} element @returns {Promise<void>} */
const loaded = (element) =>
  new Promise((resolve, reject) => {
    element.addEventListener('loadeddata', () => resolve(), { once: true });
    const failed = () => reject(new Error(element.error?.message ?? 'no reason given'));
    element.addEventListener('error', failed, { once: true });
  });

/** @param {string} what */
const notPossible = (what) =>
  invalidState(
    `A participant with a video file ${what}; join with synthetic media or with camera and microphone.`,
  );
