/** Recorder: Chrome's MediaRecorder on the mixer's stream, its chunks into the spool as they come. */

import { pageNow } from '../clock.js';
import { recordingError, within } from '../errors.js';

/** How long MediaRecorder's slices are, in ms; they come a little later (Chrome fact 9). */
const TIMESLICE = 100;
/** So many go together once the recording has begun: more would be lost to a crash, and each message costs four processes. */
const TOGETHER = 2;
/** The longest time between two key frames, in ms; left to itself Chrome makes few (Chrome fact 9). */
const KEYFRAME_EVERY = 2000;
const FIRST_BYTES_WITHIN = 15_000;
const STOP_WITHIN = 10_000;
/** How far, in ms, the last safe picture may be behind; slices and acknowledgements take up to 700. */
const BUSY = 850;
/** A busy encoder has come to the end when nothing more was placed for so long; and it is given no longer than that. */
const NOTHING_MORE = 700;
const LONGEST_DRAIN = 2500;
const LOOK_EVERY = 50;

/** @typedef {import('./spool.js').Spool} Spool */

/** Emits `failed` with an Error when the recording breaks by itself. */
export class Recorder extends EventTarget {
  #recorder;
  #spool;
  #plan;
  /** The last picture that is safe, in ms of recorded time, and when it was heard of. */
  #picture = 0;
  #pictureAt = 0;
  /** Recorded time that pauses cut out, in ms. */
  #pauses = 0;
  #pausedAt = 0;
  /** Slices that wait for the next one. @type {Blob[]} */
  #slices = [];
  /** Whether every track is safe. */
  #begun = false;
  /** Page time, ms. */
  startedAt = 0;

  /** @param {MediaStream} stream @param {Spool} spool @param {RecordPlan} plan */
  constructor(stream, spool, plan) {
    super();
    this.#spool = spool;
    this.#plan = plan;
    /** @type {MediaRecorderOptions & {videoKeyFrameIntervalDuration?: number}} */
    const options = { mimeType: plan.mimeType, audioBitsPerSecond: plan.audioBitsPerSecond };
    if (plan.type === 'video') {
      options.videoBitsPerSecond = plan.videoBitsPerSecond;
      options.videoKeyFrameIntervalDuration = KEYFRAME_EVERY;
    }
    this.#recorder = new MediaRecorder(stream, options);
    this.#recorder.addEventListener('dataavailable', ({ data }) => {
      if (data.size > 0) this.#slices.push(data);
      const more = this.#begun && this.#recorder.state === 'recording';
      if (this.#slices.length >= (more ? TOGETHER : 1)) this.#handOn();
    });
    this.#recorder.addEventListener('error', (event) => {
      this.#fail(`MediaRecorder failed: ${String(/** @type {{error?: unknown}} */ (event).error)}.`);
    });
    spool.addEventListener('ack', (event) => {
      const { picture } = /** @type {CustomEvent<{picture: number | null}>} */ (event).detail;
      if ((picture ?? 0) > this.#picture) this.#pictureAt = pageNow();
      this.#picture = picture ?? 0;
    });
    spool.addEventListener('failed', (event) => {
      this.dispatchEvent(
        new CustomEvent('failed', { detail: /** @type {CustomEvent<Error>} */ (event).detail }),
      );
    });
  }

  get state() {
    return this.#recorder.state;
  }

  /** Starts; resolves when bytes that hold every track are safe with the server. */
  async start() {
    const wanted = this.#plan.type === 'video' ? ['audio', 'video'] : ['audio'];
    let tracks = /** @type {string[]} */ ([]);
    const safe = new Promise((resolve, reject) => {
      this.#spool.addEventListener('ack', (event) => {
        ({ tracks } = /** @type {CustomEvent<{tracks: string[]}>} */ (event).detail);
        if (wanted.every((track) => tracks.includes(track))) resolve(undefined);
      });
      this.addEventListener('failed', (event) => reject(/** @type {CustomEvent<Error>} */ (event).detail));
    });
    this.startedAt = pageNow();
    this.#spool.recorder('started', this.startedAt);
    this.#recorder.start(TIMESLICE);
    await within(
      safe,
      FIRST_BYTES_WITHIN,
      () =>
        `The recording did not begin within 15 s: of ${wanted.join(' and ')} there came ${tracks.join(', ') || 'nothing'}.`,
    );
    this.#begun = true;
  }

  pause() {
    this.#recorder.pause();
    this.#handOn();
    this.#pausedAt = pageNow();
  }

  resume() {
    this.#recorder.resume();
    this.#pauses += pageNow() - this.#pausedAt;
  }

  /** Stops; resolves when the last chunk has been handed to the spool. */
  async stop() {
    if (this.#recorder.state === 'inactive') return;
    const stopped = new Promise((resolve) =>
      this.#recorder.addEventListener('stop', resolve, { once: true }),
    );
    this.#spool.recorder('stopped', pageNow());
    await this.#drain();
    this.#recorder.stop();
    await within(stopped, STOP_WITHIN, () => 'MediaRecorder did not stop within 10 s.');
  }

  #handOn() {
    if (this.#slices.length > 0) this.#spool.chunk(new Blob(this.#slices));
    this.#slices = [];
  }

  /** MediaRecorder drops what still waits for the encoder when it stops (Chrome fact 33); a pause lets it be encoded. */
  async #drain() {
    const now = pageNow();
    const behind = now - this.startedAt - this.#pauses - this.#picture;
    const records = this.startedAt > 0 && this.#recorder.state === 'recording';
    if (!records || this.#plan.type !== 'video' || behind < BUSY) return;
    this.#recorder.pause();
    this.#handOn();
    this.#pictureAt = now;
    while (pageNow() - this.#pictureAt < NOTHING_MORE && pageNow() - now < LONGEST_DRAIN) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  }

  /** @param {string} message */
  #fail(message) {
    this.dispatchEvent(new CustomEvent('failed', { detail: recordingError(message) }));
  }
}
