/** SyntheticAudio: a participant's tone with one chirp per second, which together form the marker in the audio. */

import { pageNow } from '../shared/clock.js';
import { chirp, toneOf } from '../shared/marker.js';

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
/** Gain of the tone while the participant's voice is raised, relative to the normal gain. */
const RAISED = 2;
const SAMPLE_RATE = 48000;

/** A tone, with one chirp per second. The first chirp begins at the time `origin`. */
export class SyntheticAudio {
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
