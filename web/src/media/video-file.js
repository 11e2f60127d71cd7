/** VideoFileMedia: plays a video file in a loop, in place of camera and microphone. */

import { HarnessError, invalidState, within } from '../shared/errors.js';

/** Maximum time, in ms, until a video file shows its first frame. */
const LOADED_WITHIN = 10_000;
/**
 * Maximum difference, in ms, of a frame's media time and its display time. After a larger one, which means that
 * playback stalled or restarted, the times are aligned again.
 */
const MOST_DEVIATION = 250;

/**
 * The element's captureStream is not good enough: its audio is 0.1 s early, and it samples frames on its own clock, which
 * repeats some frames and skips others.
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

  /** @param {HTMLVideoElement} element a loaded video that is not playing yet */
  constructor(element) {
    this.#element = element;
    // There is no other way to find out which tracks the file has.
    const { captureStream } = /** @type {{captureStream: () => MediaStream}} */ (
      /** @type {unknown} */ (element)
    );
    for (const track of captureStream.call(element).getTracks()) {
      track.stop();
      this.stream.addTrack(track.kind === 'video' ? this.#captureVideo() : this.#captureAudio());
    }
  }

  /** Plays the file at an address; fails with an error that contains the browser's reason. @param {string} address */
  static async open(address) {
    const element = document.createElement('video');
    // Without CORS, the frames of a file from another origin can't be read.
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
    // A video file has no markers of ours, so it needs no clock.
  }

  fit() {
    // A video file has a fixed size; the sender scales it down.
  }

  /** @returns {Promise<MediaStreamTrack>} */
  share() {
    return Promise.reject(notPossible('has no screen to share'));
  }

  /** @returns {Promise<MediaStreamTrack>} */
  replace() {
    return Promise.reject(notPossible('has no other device'));
  }

  setSpeaking() {
    throw invalidState('setSpeaking is available only for synthetic participants; join with synthetic media.');
  }

  async close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.#element.cancelVideoFrameCallback(this.#callback);
    this.#element.pause();
    this.#element.removeAttribute('src');
    this.#element.load();
    await this.#context?.close();
  }

  /** Captures every frame when it is shown, and shifts its media time to the page's clock. */
  #captureVideo() {
    const track = new MediaStreamTrackGenerator({ kind: 'video' });
    const writer = track.writable.getWriter();
    let shift = NaN;
    /** @type {VideoFrameRequestCallback} */
    const capture = (_, { mediaTime, expectedDisplayTime }) => {
      const own = mediaTime * 1000;
      if (!(Math.abs(own + shift - expectedDisplayTime) < MOST_DEVIATION)) shift = expectedDisplayTime - own;
      const frame = new VideoFrame(this.#element, { timestamp: Math.round((own + shift) * 1000) });
      // A stopped track rejects frames.
      writer.write(frame).catch(() => frame.close());
      this.#callback = this.#element.requestVideoFrameCallback(capture);
    };
    this.#callback = this.#element.requestVideoFrameCallback(capture);
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
