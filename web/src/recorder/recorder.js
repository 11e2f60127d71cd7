/**
 * Recorder: records a stream with Chrome's MediaRecorder.
 *
 * Input: the mixer's stream. Output: chunks for the spool, which are sent as MediaRecorder delivers them.
 * ActiveRecording calls `start`, `hold` and `stop`.
 */

import { pageNow } from '../shared/clock.js';
import { recordingError, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/promises.js';

/** Requested duration of MediaRecorder's slices, in ms. Slices arrive a little later than requested (Chrome fact 9). */
const TIMESLICE = 100;
/**
 * Number of slices per chunk after the recording has begun. A crash loses at most one chunk. Smaller chunks would
 * reduce this loss, but each message costs time in four processes.
 */
const SLICES_PER_CHUNK = 2;
/** Maximum time between key frames, in ms. By default, Chrome writes few key frames (Chrome fact 9). */
const KEYFRAME_EVERY = 2000;
const FIRST_BYTES_WITHIN = 15_000;
const STOP_WITHIN = 10_000;
/**
 * STOPPED_AFTER is the time without progress after which a busy encoder counts as stopped. LONGEST_DRAIN is the maximum
 * time for encoding the remaining frames. Both are in ms.
 */
const STOPPED_AFTER = 500;
const LONGEST_DRAIN = 2500;
const CHECK_EVERY = 50;
/**
 * Maximum number of frames that may still be on their way to the recorder when the recorder's input is paused. Frames
 * that are on their way at the time of the pause never reach the recorder.
 */
const IN_TRANSIT = 2;

/** @typedef {import('./spool.js').Spool} Spool */

/**
 * Emits `failed` with an Error when the recording fails.
 *
 * @extends {Emitter<{failed: Error}>}
 */
export class Recorder extends Emitter {
  #recorder;
  #spool;
  #plan;
  /** The slices of the next chunk. @type {Blob[]} */
  #slices = [];
  /** Whether the server has received data from every track. */
  #begun = false;
  /** When the recording started, in ms on the page's clock. */
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
      if (this.#slices.length >= (more ? SLICES_PER_CHUNK : 1)) this.#sendChunk();
    });
    this.#recorder.addEventListener('error', (event) => {
      this.#fail(`MediaRecorder failed: ${String(/** @type {{error?: unknown}} */ (event).error)}.`);
    });
    spool.listen('failed', (error) => this.emit('failed', error));
  }

  get state() {
    return this.#recorder.state;
  }

  /** Starts recording; resolves when the server has received data from every track. */
  async start() {
    const expected = this.#plan.type === 'video' ? ['audio', 'video'] : ['audio'];
    let tracks = /** @type {string[]} */ ([]);
    const safe = new Promise((resolve, reject) => {
      this.#spool.listen('ack', (ack) => {
        ({ tracks } = ack);
        if (expected.every((track) => tracks.includes(track))) resolve(undefined);
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
        `The recording did not begin within 15 s: expected ${expected.join(' and ')}, received ${tracks.join(' and ') || 'nothing'}.`,
    );
    this.#begun = true;
  }

  pause() {
    this.#recorder.pause();
    this.#sendChunk();
  }

  resume() {
    this.#recorder.resume();
  }

  /** Pauses the input, since `stop` would drop the frames that are still waiting for the encoder (Chrome fact 33). */
  hold() {
    if (this.#recorder.state === 'inactive') return;
    this.#spool.recorder('stopped', pageNow());
    if (this.#plan.type === 'video') this.#recorder.pause();
  }

  /**
   * Stops recording; resolves when the spool has the last chunk. Call `stop` after `hold`, and after the server has
   * received the complete tick log.
   */
  async stop() {
    if (this.#plan.type === 'video' && this.#begun) await this.#drainEncoder();
    if (this.#recorder.state === 'inactive') return;
    const stopped = new Promise((resolve) =>
      this.#recorder.addEventListener('stop', resolve, { once: true }),
    );
    this.#recorder.stop();
    await within(stopped, STOP_WITHIN, () => 'MediaRecorder did not stop within 10 s.');
  }

  #sendChunk() {
    if (this.#slices.length > 0) this.#spool.chunk(new Blob(this.#slices));
    this.#slices = [];
  }

  /** Resolves when all frames have been encoded, or when no more encoded frames arrive. */
  async #drainEncoder() {
    const deadline = /** @type {Promise<null>} */ (
      new Promise((resolve) => setTimeout(resolve, LONGEST_DRAIN, null))
    );
    let before = await this.#readOutstanding(deadline);
    if (before === null || before <= IN_TRANSIT) return;
    for (let progressAt = pageNow(); ;) {
      await pause(CHECK_EVERY);
      const now = await this.#readOutstanding(deadline);
      if (!now) return;
      if (now < before) progressAt = pageNow();
      else if (now <= IN_TRANSIT || pageNow() - progressAt > STOPPED_AFTER) return;
      before = now;
    }
  }

  /**
   * Sends all encoded data; resolves with the number of frames that have not been encoded yet, or null if the server
   * doesn't answer in time.
   *
   * @param {Promise<null>} deadline
   */
  async #readOutstanding(deadline) {
    const ask = async () => {
      const given = new Promise((resolve) =>
        this.#recorder.addEventListener('dataavailable', resolve, { once: true }),
      );
      this.#recorder.requestData();
      await given;
      return this.#spool.outstanding();
    };
    // The recorder must be stopped even if this request fails. The reason for the failure is reported when the spool
    // ends the recording.
    return Promise.race([ask().catch(() => null), deadline]);
  }

  /** @param {string} message */
  #fail(message) {
    this.emit('failed', recordingError(message));
  }
}
