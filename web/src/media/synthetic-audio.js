/** SyntheticAudio: a participant's tone with one burst per second, which together form the marker in the audio. */

import { pageNow } from '../shared/clock.js';
import { TONE_LEVEL, burstAt, chirp, toneOf } from '../shared/marker.js';

/**
 * How far ahead bursts are scheduled, in ms. A burst is late if the audio system is suspended after the burst was
 * scheduled.
 */
const AHEAD = 600;
/**
 * How often the audio system's clock is read, in ms, and the number of readings that are kept. Only a few readings are
 * kept, so that the page soon notices if the audio system's clock has fallen behind.
 */
const READ_EVERY = 100;
const READINGS = 12;
/** Gain of the tone while the participant's voice is raised, relative to the normal gain. */
const RAISED = 2;
const SAMPLE_RATE = 48000;

/** A tone, with one burst of two chirps per second. The first burst begins at the time `origin`. */
export class SyntheticAudio {
  #context = new AudioContext({ sampleRate: SAMPLE_RATE });
  /** @type {MediaStreamAudioDestinationNode} */
  #destination;
  #voice = new GainNode(this.#context);
  #buffers;
  #origin;
  /** The second of the next burst. */
  #second = 0;
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
    this.#origin = origin;
    this.#destination = this.#connect();
    const tone = new OscillatorNode(this.#context, { frequency: toneOf(marker) });
    tone.connect(new GainNode(this.#context, { gain: TONE_LEVEL })).connect(this.#voice);
    tone.start();
    this.#buffers = {
      rising: bufferOf(chirp(marker, SAMPLE_RATE, 'rising')),
      falling: bufferOf(chirp(marker, SAMPLE_RATE, 'falling')),
    };
    this.#timer = setInterval(() => this.#scheduleBursts(), READ_EVERY);
    this.#scheduleBursts();
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

  /** Schedules the next bursts on the context's clock. */
  #scheduleBursts() {
    if (this.#context.state === 'suspended') void this.#context.resume();
    const context = this.#context.currentTime * 1000;
    if (context === 0) return;
    this.#readings.push(pageNow() - context);
    if (this.#readings.length > READINGS) this.#readings.shift();
    const offset = Math.min(...this.#readings);
    for (; this.#origin + this.#second * 1000 < pageNow() + AHEAD; this.#second += 1) {
      // Both chirps are scheduled at once, so that the time between them is exact even if the clocks' difference changes.
      const chirps = burstAt(this.#second).map(({ at, direction }) => ({
        when: (this.#origin + at * 1000 - offset) / 1000,
        buffer: this.#buffers[direction],
      }));
      if (chirps.every(({ when }) => when > this.#context.currentTime)) {
        for (const { when, buffer } of chirps) {
          const source = new AudioBufferSourceNode(this.#context, { buffer });
          source.connect(this.#voice);
          source.start(when);
        }
      }
    }
  }
}

/** @param {Float32Array<ArrayBuffer>} samples */
function bufferOf(samples) {
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: SAMPLE_RATE });
  buffer.copyToChannel(samples, 0);
  return buffer;
}
