/**
 * SyntheticMedia: a moving image and a tone, both with markers that `verify` reads from the finished file.
 *
 * Input: the participant's name and marker, and the room's clock. Output: a MediaStream. The main modules create a
 * SyntheticMedia for each synthetic participant. The client uses synthetic media, devices and video files through the
 * same interface, LocalMedia.
 */

import { pageNow } from '../shared/clock.js';
import { notSupported, within } from '../shared/errors.js';
import { chirp, toneOf } from '../shared/marker.js';
import { startWorker } from '../shared/start-worker.js';

/**
 * How far ahead chirps are scheduled, in ms. A chirp is late if the audio system is suspended after the chirp was
 * scheduled.
 */
const AHEAD = 600;
/**
 * How often the audio system's clock is read, in ms, and the number of readings that are kept. Only a few readings are
 * kept, so that the page soon notices if the audio system's clock has fallen behind.
 */
const READ_EVERY = 100;
const READINGS = 12;
/** Gain of the tone; 1 is full scale. */
const TONE = 0.04;
/** Gain of the tone while the participant speaks louder, relative to the normal tone. */
const RAISED = 2;
const SAMPLE_RATE = 48000;
/**
 * How long a new video's worker may take to paint the first frame, in ms. The old video is sent until the first frame
 * has been painted.
 */
const PAINTED_WITHIN = 10_000;

/** @typedef {{name: string, marker: number, clock: RoomClockLike}} Options */

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
  #origin = pageNow() + 100;
  #video;
  #audio;

  /** @param {Options} options `marker` is 0 to 255 */
  constructor(options) {
    if (!('MediaStreamTrackGenerator' in globalThis)) {
      throw notSupported("This browser can't create synthetic video; join with camera and microphone.");
    }
    this.#options = options;
    this.#video = new SyntheticVideo(options, this.#origin, this.size, false);
    this.#audio = new SyntheticAudio(options.marker, this.#origin);
    this.stream = new MediaStream([this.#video.track, this.#audio.track]);
  }

  /**
   * Sets the offset of the room's clock; called whenever the estimate of the offset improves.
   *
   * @param {number} offset the room's clock minus the page's clock, in ms
   */
  setClock(offset) {
    this.#video.post({ type: 'clock', clockOffset: offset });
  }

  /** Changes the video to 16:9 frames that fit into this size. @param {VideoSize} size */
  fit({ width, height, frameRate }) {
    const wide = Math.min(width, (height * 16) / 9);
    this.size = { width: even(wide), height: even((wide * 9) / 16), frameRate };
    this.#video.post({ type: 'fit', ...this.size });
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
    const fresh = new SyntheticVideo(this.#options, this.#origin, this.size, screen);
    try {
      await within(fresh.painted, PAINTED_WITHIN, () => 'The synthetic video did not start within 10 s.');
    } catch (error) {
      fresh.close();
      throw error;
    }
    fresh.post({ type: 'fit', ...this.size });
    this.#video = fresh;
    this.#exchangeTrack(before.track, fresh.track);
    before.close();
    return fresh.track;
  }

  /** @param {MediaStreamTrack} before @param {MediaStreamTrack} track */
  #exchangeTrack(before, track) {
    this.stream.removeTrack(before);
    this.stream.addTrack(track);
  }
}

/** A worker that paints frames, and the track that the frames are written to. */
class SyntheticVideo {
  #worker = startWorker(new URL('./synthetic-worker.js', import.meta.url));

  /** @param {Options} options @param {number} origin @param {VideoSize} size @param {boolean} screen */
  constructor({ name, marker, clock }, origin, size, screen) {
    const generator = new MediaStreamTrackGenerator({ kind: 'video' });
    generator.contentHint = screen ? 'detail' : 'motion';
    this.track = generator;
    this.screen = screen;
    /** Resolves when the first frame has been painted. */
    this.painted = new Promise((resolve) =>
      this.#worker.addEventListener('message', resolve, { once: true }),
    );
    const { writable } = generator;
    const { offset: clockOffset } = clock;
    this.#worker.postMessage(
      /** @type {SyntheticMessage} */ ({
        type: 'start',
        writable,
        name,
        marker,
        origin,
        clockOffset,
        screen,
        size,
      }),
      [writable],
    );
  }

  /** @param {SyntheticMessage} message */
  post(message) {
    this.#worker.postMessage(message);
  }

  close() {
    this.#worker.terminate();
    this.track.stop();
  }
}

/** A tone, with one chirp per second. The first chirp begins at the time `origin`. */
class SyntheticAudio {
  #context = new AudioContext({ sampleRate: SAMPLE_RATE });
  /** @type {MediaStreamAudioDestinationNode} */
  #destination;
  #voice = new GainNode(this.#context);
  #chirp;
  #nextBurst;
  #timer;
  /**
   * The latest differences between the page's clock and the context's clock, in ms. The smallest difference between the
   * clocks is the most accurate.
   *
   * @type {number[]}
   */
  #readings = [];

  /** @param {number} marker @param {number} origin page time, ms */
  constructor(marker, origin) {
    this.#nextBurst = origin;
    this.#destination = this.#connect();
    const tone = new OscillatorNode(this.#context, { frequency: toneOf(marker) });
    tone.connect(new GainNode(this.#context, { gain: TONE })).connect(this.#voice);
    tone.start();
    const samples = chirp(marker, SAMPLE_RATE);
    this.#chirp = new AudioBuffer({ length: samples.length, sampleRate: SAMPLE_RATE });
    this.#chirp.copyToChannel(samples, 0);
    this.#timer = setInterval(() => this.#scheduleChirps(), READ_EVERY);
    this.#scheduleChirps();
  }

  get track() {
    return /** @type {MediaStreamTrack} */ (this.#destination.stream.getAudioTracks()[0]);
  }

  /** @param {boolean} on */
  setSpeaking(on) {
    this.#voice.gain.setTargetAtTime(on ? RAISED : 1, this.#context.currentTime, 0.01);
  }

  /** Continues the audio in a new track, as if the microphone had been replaced. */
  renew() {
    this.#voice.disconnect();
    this.track.stop();
    this.#destination = this.#connect();
    return this.track;
  }

  async close() {
    clearInterval(this.#timer);
    this.track.stop();
    if (this.#context.state !== 'closed') await this.#context.close();
  }

  #connect() {
    const destination = new MediaStreamAudioDestinationNode(this.#context, { channelCount: 1 });
    this.#voice.connect(destination);
    return destination;
  }

  /** Schedules the next chirps on the context's clock. */
  #scheduleChirps() {
    if (this.#context.state === 'suspended') void this.#context.resume();
    const context = this.#context.currentTime * 1000;
    if (context === 0) return;
    this.#readings.push(pageNow() - context);
    if (this.#readings.length > READINGS) this.#readings.shift();
    const offset = Math.min(...this.#readings);
    while (this.#nextBurst < pageNow() + AHEAD) {
      const when = (this.#nextBurst - offset) / 1000;
      if (when > this.#context.currentTime) {
        const source = new AudioBufferSourceNode(this.#context, { buffer: this.#chirp });
        source.connect(this.#voice);
        source.start(when);
      }
      this.#nextBurst += 1000;
    }
  }
}

/** @param {number} value */
const even = (value) => 2 * Math.round(value / 2);
