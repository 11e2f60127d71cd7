/** A synthetic participant: a moving picture and a tone, both with marks that `verify` finds in the finished file. */

import { pageNow } from '../shared/clock.js';
import { notSupported, within } from '../shared/errors.js';
import { chirp, toneOf } from '../shared/marker.js';
import { startWorker } from '../shared/start-worker.js';

/** How far ahead chirps are scheduled, in ms: a sound system that stands still meanwhile makes them late. */
const AHEAD = 600;
/** How often the sound system's clock is read, in ms, and how many readings count: what it lost is soon known. */
const READ_EVERY = 100;
const READINGS = 12;
/** Loudness of the tone, of 1. */
const TONE = 0.04;
/** How many times as loud a raised voice is. */
const RAISED = 2;
const SAMPLE_RATE = 48000;
/** How long another picture may take to begin; the one before stays as long. */
const PAINTED_WITHIN = 10_000;

/** @typedef {{name: string, marker: number, clock: RoomClockLike}} Options */

/**
 * Makes the picture in a worker and the sound in an AudioContext (Chrome fact 6), both from one origin in time.
 *
 * @implements {LocalMedia}
 */
export class SyntheticMedia {
  kind = /** @type {const} */ ('synthetic');
  /** Chrome fact 43: a generator's own settings have no size before its first frame. @type {VideoSize} */
  size = { width: 1280, height: 720, frameRate: 30 };
  #options;
  #origin = pageNow() + 100;
  #picture;
  #sound;

  /** @param {Options} options `marker` is 0 to 255 */
  constructor(options) {
    if (!('MediaStreamTrackGenerator' in globalThis)) {
      throw notSupported("This browser can't make a synthetic picture; join with camera and microphone.");
    }
    this.#options = options;
    this.#picture = new Picture(options, this.#origin, this.size, false);
    this.#sound = new Sound(options.marker, this.#origin);
    this.stream = new MediaStream([this.#picture.track, this.#sound.track]);
  }

  /** Follows the room's clock when its estimate gets better. @param {number} offset room minus page time, in ms */
  setClock(offset) {
    this.#picture.post({ type: 'clock', clockOffset: offset });
  }

  /** Makes pictures that fit into this size, 16:9, from now on. @param {VideoSize} size */
  fit({ width, height, frameRate }) {
    const wide = Math.min(width, (height * 16) / 9);
    this.size = { width: even(wide), height: even((wide * 9) / 16), frameRate };
    this.#picture.post({ type: 'fit', ...this.size });
  }

  /** @param {boolean} on */
  share(on) {
    return this.#change(on);
  }

  /** @param {'audio' | 'video'} kind */
  replace(kind) {
    if (kind === 'video') return this.#change(this.#picture.screen);
    const before = this.#sound.track;
    const track = this.#sound.renew();
    this.#exchange(before, track);
    return Promise.resolve(track);
  }

  /** @param {boolean} on */
  setSpeaking(on) {
    this.#sound.raise(on);
  }

  /** @returns {Promise<void>} */
  async close() {
    this.#picture.close();
    await this.#sound.close();
  }

  /** Takes another picture in place of this one as soon as it is there. @param {boolean} screen */
  async #change(screen) {
    const before = this.#picture;
    const fresh = new Picture(this.#options, this.#origin, this.size, screen);
    try {
      await within(fresh.painted, PAINTED_WITHIN, () => 'The synthetic picture did not begin within 10 s.');
    } catch (error) {
      fresh.close();
      throw error;
    }
    fresh.post({ type: 'fit', ...this.size });
    this.#picture = fresh;
    this.#exchange(before.track, fresh.track);
    before.close();
    return fresh.track;
  }

  /** @param {MediaStreamTrack} before @param {MediaStreamTrack} track */
  #exchange(before, track) {
    this.stream.removeTrack(before);
    this.stream.addTrack(track);
  }
}

/** A painter in a worker, and the track that its frames come out of. */
class Picture {
  #worker = startWorker(new URL('./synthetic-worker.js', import.meta.url));

  /** @param {Options} options @param {number} origin @param {VideoSize} size @param {boolean} screen */
  constructor({ name, marker, clock }, origin, size, screen) {
    const generator = new MediaStreamTrackGenerator({ kind: 'video' });
    generator.contentHint = screen ? 'detail' : 'motion';
    this.track = generator;
    this.screen = screen;
    /** Resolves when the first frame is painted. */
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

/** A tone, and a chirp every second from the origin on. */
class Sound {
  #context = new AudioContext({ sampleRate: SAMPLE_RATE });
  /** @type {MediaStreamAudioDestinationNode} */
  #destination;
  #voice = new GainNode(this.#context);
  #chirp;
  #nextBurst;
  #timer;
  /** Page time minus context time, in ms: the last readings; the smallest is the truest. @type {number[]} */
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
    this.#timer = setInterval(() => this.#schedule(), READ_EVERY);
    this.#schedule();
  }

  get track() {
    return /** @type {MediaStreamTrack} */ (this.#destination.stream.getAudioTracks()[0]);
  }

  /** @param {boolean} on */
  raise(on) {
    this.#voice.gain.setTargetAtTime(on ? RAISED : 1, this.#context.currentTime, 0.01);
  }

  /** Goes on in another track, as another microphone would. */
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

  /** Schedules the chirps of the next moments, on the context's clock. */
  #schedule() {
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
