/** Recorder: Chrome's MediaRecorder on the mixer's stream, its chunks into the spool as they come. */

import { pageNow } from '../shared/clock.js';
import { recordingError, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/pause.js';

/** How long MediaRecorder's slices are, in ms; they come a little later (Chrome fact 9). */
const TIMESLICE = 100;
/** So many go together once the recording has begun: more would be lost to a crash, and each message costs four processes. */
const TOGETHER = 2;
/** The longest time between two key frames, in ms; left to itself Chrome makes few (Chrome fact 9). */
const KEYFRAME_EVERY = 2000;
const FIRST_BYTES_WITHIN = 15_000;
const STOP_WITHIN = 10_000;
/** A busy encoder that gives nothing more for so long, in ms, has stopped for good; and it is given no longer than that. */
const NOTHING_MORE = 500;
const LONGEST_DRAIN = 2500;
const LOOK_EVERY = 50;
/** So many pictures may have been on their way to the recorder when it was held: they never come. */
const ON_THEIR_WAY = 2;

/** @typedef {import('./spool.js').Spool} Spool */

/**
 * Emits `failed` with an Error when the recording breaks by itself.
 *
 * @extends {Emitter<{failed: Error}>}
 */
export class Recorder extends Emitter {
  #recorder;
  #spool;
  #plan;
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
    spool.listen('failed', (error) => this.emit('failed', error));
  }

  get state() {
    return this.#recorder.state;
  }

  /** Starts; resolves when bytes that hold every track are safe with the server. */
  async start() {
    const wanted = this.#plan.type === 'video' ? ['audio', 'video'] : ['audio'];
    let tracks = /** @type {string[]} */ ([]);
    const safe = new Promise((resolve, reject) => {
      this.#spool.listen('ack', (ack) => {
        ({ tracks } = ack);
        if (wanted.every((track) => tracks.includes(track))) resolve(undefined);
      });
      this.listen('failed', reject);
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
  }

  resume() {
    this.#recorder.resume();
  }

  /** Lets nothing more in. A pause, since MediaRecorder drops what still waits for the encoder when it stops (Chrome fact 33). */
  hold() {
    if (this.#recorder.state === 'inactive') return;
    this.#spool.recorder('stopped', pageNow());
    if (this.#plan.type === 'video') this.#recorder.pause();
  }

  /** Stops after a hold, when the server knows of every tick; resolves when the last chunk has been handed to the spool. */
  async stop() {
    if (this.#plan.type === 'video' && this.#begun) await this.#encoded();
    if (this.#recorder.state === 'inactive') return;
    const stopped = new Promise((resolve) =>
      this.#recorder.addEventListener('stop', resolve, { once: true }),
    );
    this.#recorder.stop();
    await within(stopped, STOP_WITHIN, () => 'MediaRecorder did not stop within 10 s.');
  }

  #handOn() {
    if (this.#slices.length > 0) this.#spool.chunk(new Blob(this.#slices));
    this.#slices = [];
  }

  /** Resolves when every picture is encoded, or no more come. */
  async #encoded() {
    const noLonger = /** @type {Promise<null>} */ (
      new Promise((resolve) => setTimeout(resolve, LONGEST_DRAIN, null))
    );
    let before = await this.#outstanding(noLonger);
    if (before === null || before <= ON_THEIR_WAY) return;
    for (let movedAt = pageNow(); ;) {
      await pause(LOOK_EVERY);
      const now = await this.#outstanding(noLonger);
      if (!now) return;
      if (now < before) movedAt = pageNow();
      else if (now <= ON_THEIR_WAY || pageNow() - movedAt > NOTHING_MORE) return;
      before = now;
    }
  }

  /** Hands on all that is encoded; resolves with how many pictures are not, null where nobody says so in time. @param {Promise<null>} noLonger */
  async #outstanding(noLonger) {
    const ask = async () => {
      const given = new Promise((resolve) =>
        this.#recorder.addEventListener('dataavailable', resolve, { once: true }),
      );
      this.#recorder.requestData();
      await given;
      return this.#spool.outstanding();
    };
    // Whatever goes wrong, what there is must be stopped; the spool's end says why.
    return Promise.race([ask().catch(() => null), noLonger]);
  }

  /** @param {string} message */
  #fail(message) {
    this.emit('failed', recordingError(message));
  }
}
