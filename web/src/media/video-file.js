/** A film in the place of camera and microphone: it begins anew when it is over. */

import { HarnessError, invalidState, within } from '../shared/errors.js';

/** How long a film may take to show its first picture, in ms. */
const LOADED_WITHIN = 10_000;
/** From how far on its pictures' own times are no longer believed, in ms: it stood still, or began anew. */
const ASTRAY = 250;

/**
 * The element's own captureStream would do, but for its sound, which comes 0.1 s before the picture, and its pictures,
 * which are taken by a clock of its own: some twice, some never.
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

  /** @param {HTMLVideoElement} element loaded, not yet playing */
  constructor(element) {
    this.#element = element;
    // There is no other way to ask which tracks there are.
    const { captureStream } = /** @type {{captureStream: () => MediaStream}} */ (
      /** @type {unknown} */ (element)
    );
    for (const track of captureStream.call(element).getTracks()) {
      track.stop();
      this.stream.addTrack(track.kind === 'video' ? this.#picture() : this.#sound());
    }
  }

  /** Plays what is at an address; fails with what the browser said. @param {string} address */
  static async open(address) {
    const element = document.createElement('video');
    // Without it a film from another origin gives no picture away.
    element.crossOrigin = 'anonymous';
    element.loop = true;
    element.src = address;
    try {
      await within(loaded(element), LOADED_WITHIN, () => 'nothing of it came within 10 s');
      const media = new VideoFileMedia(element);
      await element.play();
      return media;
    } catch (error) {
      element.removeAttribute('src');
      const reason = error instanceof Error ? error.message : String(error);
      const name = decodeURIComponent(address.split('/').pop() ?? '');
      const remedy = `Chrome always plays WebM with VP9 and Opus: ffmpeg -i ${name} film.webm`;
      throw new HarnessError('Error', `${name} can't be played here (${reason}). ${remedy}`);
    }
  }

  /** @returns {VideoSize} */
  get size() {
    const { videoWidth, videoHeight } = this.#element;
    return { width: videoWidth || 1280, height: videoHeight || 720, frameRate: 30 };
  }

  setClock() {
    // A film carries no marks of ours.
  }

  fit() {
    // A film has the size that it has; who sends it makes it smaller.
  }

  /** @returns {Promise<MediaStreamTrack>} */
  share() {
    return Promise.reject(filmsOnly('has no screen to show'));
  }

  /** @returns {Promise<MediaStreamTrack>} */
  replace() {
    return Promise.reject(filmsOnly('has no other device'));
  }

  setSpeaking() {
    throw filmsOnly("can't raise the voice");
  }

  async close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.#element.cancelVideoFrameCallback(this.#callback);
    this.#element.pause();
    this.#element.removeAttribute('src');
    this.#element.load();
    await this.#context?.close();
  }

  /** Takes every picture when it is shown, with its own time in the film, shifted to the page's clock. */
  #picture() {
    const track = new MediaStreamTrackGenerator({ kind: 'video' });
    const writer = track.writable.getWriter();
    let shift = NaN;
    /** @type {VideoFrameRequestCallback} */
    const take = (_, { mediaTime, expectedDisplayTime }) => {
      const own = mediaTime * 1000;
      if (!(Math.abs(own + shift - expectedDisplayTime) < ASTRAY)) shift = expectedDisplayTime - own;
      const frame = new VideoFrame(this.#element, { timestamp: Math.round((own + shift) * 1000) });
      // A track that was stopped takes none.
      writer.write(frame).catch(() => frame.close());
      this.#callback = this.#element.requestVideoFrameCallback(take);
    };
    this.#callback = this.#element.requestVideoFrameCallback(take);
    return track;
  }

  /** Leads the sound into a track, and so away from the speakers. */
  #sound() {
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
const filmsOnly = (what) =>
  invalidState(`Who brings a film ${what}; join with synthetic media, or camera and microphone.`);
