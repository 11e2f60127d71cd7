/** A synthetic participant: a moving picture and a tone, both with marks that `verify` finds in the finished file. */

import { pageNow } from '../clock.js';
import { chirp, toneOf } from '../marker.js';

/** How far ahead chirps are scheduled, and how often, in ms. */
const AHEAD = 1500;
const SCHEDULE_EVERY = 250;
/** Loudness of the tone, of 1. */
const TONE = 0.04;

/**
 * Makes the picture in a worker and the sound in an AudioContext, both from one origin in time.
 *
 * @implements {LocalMedia}
 */
export class SyntheticMedia {
  kind = /** @type {const} */ ('synthetic');
  /** @type {PictureSize} */
  size = { width: 1280, height: 720, frameRate: 30 };
  #worker;
  #context = new AudioContext({ sampleRate: 48000 });
  #timer;
  /** Page time minus context time, in ms: the last readings; the smallest is the truest. @type {number[]} */
  #readings = [];
  #nextBurst;
  #chirp;
  #voice;

  /**
   * @param {object} options
   * @param {string} options.name
   * @param {number} options.marker 0 to 255
   * @param {RoomClockLike} options.clock
   */
  constructor({ name, marker, clock }) {
    const generator = new MediaStreamTrackGenerator({ kind: 'video' });
    generator.contentHint = 'motion';
    const origin = pageNow() + 100;
    this.#nextBurst = origin;
    this.#worker = new Worker(new URL('./synthetic-worker.js', import.meta.url), { type: 'module' });
    this.#worker.postMessage(
      { type: 'start', writable: generator.writable, name, marker, origin, clockOffset: clock.offset },
      [generator.writable],
    );

    const destination = new MediaStreamAudioDestinationNode(this.#context, { channelCount: 1 });
    this.#voice = new GainNode(this.#context, { gain: 1 });
    this.#voice.connect(destination);
    const tone = new OscillatorNode(this.#context, { frequency: toneOf(marker) });
    tone.connect(new GainNode(this.#context, { gain: TONE })).connect(this.#voice);
    tone.start();
    this.#chirp = new AudioBuffer({ length: chirp(marker, 48000).length, sampleRate: 48000 });
    this.#chirp.copyToChannel(chirp(marker, 48000), 0);
    this.#timer = setInterval(() => this.#schedule(), SCHEDULE_EVERY);
    this.#schedule();

    this.stream = new MediaStream([generator, ...destination.stream.getAudioTracks()]);
  }

  /** Follows the room's clock when its estimate gets better. @param {number} offset room minus page time, in ms */
  setClock(offset) {
    this.#worker.postMessage({ type: 'clock', clockOffset: offset });
  }

  /** Makes pictures that fit into this size, 16:9, from now on. @param {PictureSize} size */
  fit({ width, height, frameRate }) {
    const wide = Math.min(width, (height * 16) / 9);
    this.size = { width: even(wide), height: even((wide * 9) / 16), frameRate };
    this.#worker.postMessage({ type: 'fit', ...this.size });
  }

  /** @returns {Promise<void>} */
  async close() {
    clearInterval(this.#timer);
    this.#worker.terminate();
    for (const track of this.stream.getTracks()) track.stop();
    if (this.#context.state !== 'closed') await this.#context.close();
  }

  /** Schedules the chirps of the next moments, on the context's clock. */
  #schedule() {
    if (this.#context.state === 'suspended') void this.#context.resume();
    const context = this.#context.currentTime * 1000;
    if (context === 0) return;
    this.#readings.push(pageNow() - context);
    if (this.#readings.length > 20) this.#readings.shift();
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
