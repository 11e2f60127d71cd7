/** Levels: how loud everybody is right now. */

import { Emitter } from '../../shared/events.js';

/** How often we listen, in ms. */
const LISTEN_EVERY = 100;
/** Samples at a time: 43 ms at 48 kHz. */
const WINDOW = 2048;
/** Quieter than this is silence, in dBFS. */
const SILENCE = -60;

/** @typedef {{track: MediaStreamTrack, source: MediaStreamAudioSourceNode, analyser: AnalyserNode}} Ear */

/**
 * Emits `heard` with a Map from id to loudness, 0 to 1, ten times a second while there is anybody to listen to.
 *
 * @extends {Emitter<{heard: Map<string, number>}>}
 */
export class Levels extends Emitter {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Map<string, Ear>} */
  #ears = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #samples = new Float32Array(WINDOW);

  /** Listens to these tracks from now on, and to no others. @param {Map<string, MediaStreamTrack>} tracks by id */
  follow(tracks) {
    for (const [id, ear] of this.#ears) {
      if (tracks.get(id) === ear.track) continue;
      ear.source.disconnect();
      this.#ears.delete(id);
    }
    if (tracks.size === 0) {
      this.#rest();
      return;
    }
    const context = (this.#context ??= new AudioContext());
    for (const [id, track] of tracks) if (!this.#ears.has(id)) this.#ears.set(id, listen(context, track));
    this.#timer ??= setInterval(() => this.#hear(), LISTEN_EVERY);
  }

  #hear() {
    const heard = new Map([...this.#ears].map(([id, { analyser }]) => [id, this.#loudness(analyser)]));
    this.emit('heard', heard);
  }

  /** @param {AnalyserNode} analyser */
  #loudness(analyser) {
    analyser.getFloatTimeDomainData(this.#samples);
    const power = this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / WINDOW;
    const decibels = 10 * Math.log10(power);
    return Math.min(1, Math.max(0, 1 - decibels / SILENCE));
  }

  #rest() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    void this.#context?.close();
    this.#context = null;
  }
}

/** @param {AudioContext} context @param {MediaStreamTrack} track @returns {Ear} */
function listen(context, track) {
  const source = context.createMediaStreamSource(new MediaStream([track]));
  const analyser = new AnalyserNode(context, { fftSize: WINDOW });
  source.connect(analyser);
  return { track, source, analyser };
}
