/** Levels: measures the loudness of all participants. */

import { Emitter } from '../../shared/events.js';

/** How often loudness is measured, in ms. */
const MEASURE_EVERY = 100;
/** Number of samples per measurement (43 ms of audio at 48 kHz). */
const WINDOW = 2048;
/** The level, in dBFS, below which audio counts as silence. */
const SILENCE = -60;

/** @typedef {{track: MediaStreamTrack, source: MediaStreamAudioSourceNode, analyser: AnalyserNode}} Meter */

/**
 * Emits `measured` ten times per second while there is audio, with a Map from id to loudness (0 to 1).
 *
 * @extends {Emitter<{measured: Map<string, number>}>}
 */
export class Levels extends Emitter {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Map<string, Meter>} */
  #meters = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #samples = new Float32Array(WINDOW);

  /** Sets the tracks to measure. @param {Map<string, MediaStreamTrack>} tracks by id */
  follow(tracks) {
    for (const [id, meter] of this.#meters) {
      if (tracks.get(id) === meter.track) continue;
      meter.source.disconnect();
      this.#meters.delete(id);
    }
    if (tracks.size === 0) {
      this.#stop();
      return;
    }
    const context = (this.#context ??= new AudioContext());
    for (const [id, track] of tracks)
      if (!this.#meters.has(id)) this.#meters.set(id, createMeter(context, track));
    this.#timer ??= setInterval(() => this.#measure(), MEASURE_EVERY);
  }

  #measure() {
    const loudness = new Map([...this.#meters].map(([id, { analyser }]) => [id, this.#loudness(analyser)]));
    this.emit('measured', loudness);
  }

  /** @param {AnalyserNode} analyser */
  #loudness(analyser) {
    analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / WINDOW;
    const decibels = 10 * Math.log10(power);
    return Math.min(1, Math.max(0, 1 - decibels / SILENCE));
  }

  #stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    void this.#context?.close();
    this.#context = null;
  }
}

/** @param {AudioContext} context @param {MediaStreamTrack} track @returns {Meter} */
function createMeter(context, track) {
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = new AnalyserNode(context, { fftSize: WINDOW });
  source.connect(analyser);
  return { track, source, analyser };
}
