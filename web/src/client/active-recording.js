/**
 * ActiveRecording: one recording, from its first byte until it is discarded. The class Recordings creates each
 * ActiveRecording together with its mixer, spool and recorder.
 */

import { pageNow } from '../shared/clock.js';
import { cacheError } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { Health } from './health.js';
import { pause } from '../shared/promises.js';
import { Watchdog } from '../shared/watchdog.js';

/** Maximum time to wait for all participants' video to become steady before a recording begins, in ms. */
const SETTLE = 1500;
/**
 * The time from the tick at which the mixer writes a frame until the frame reaches the recorder, in ms. `pause` and
 * `resume` wait until the latest frame has reached the recorder, so that no frame is lost.
 */
const BETWEEN_TICKS = 10;
const WATCH_EVERY = 250;
/** How often WebRTC's statistics are read, in ms. */
const STATISTICS_EVERY = 1000;

/** @typedef {import('../mixer/mixer.js').Mixer} Mixer */
/** @typedef {import('../mixer/mixer.js').Source} Source */
/** @typedef {import('../recorder/spool.js').Spool} Spool */
/** @typedef {import('../recorder/recorder.js').Recorder} Recorder */
/** @typedef {FinishedRecording & {stopToFileMs: number}} Finished */
/**
 * A recording after an attempt to download it; `failure` is the reason why the browser did not download the file, or
 * null if it did.
 *
 * @typedef {Finished & {failure: string | null}} Downloaded
 */

/**
 * @typedef {object} Stages
 * @property {Mixer} mixer
 * @property {Spool} spool
 * @property {Recorder} recorder
 */

/**
 * @typedef {object} RoomAccess what a recording needs from its room and its page
 * @property {string} token of the spool
 * @property {boolean} [presenceFromServer] whether join and leave events come from the server
 * @property {FallbackName[]} [fallbacks] the fallbacks that the page uses
 * @property {() => Promise<Omit<ConnectionStatistics, 'time'>[]>} [statistics] reads WebRTC's statistics for every
 * connection
 */

/**
 * Emits `stalled` with a message when no data arrives, and `failed` with an Error when the recording fails.
 *
 * @extends {Emitter<{stalled: string, failed: Error}>}
 */
export class ActiveRecording extends Emitter {
  /** @type {'new' | 'recording' | 'paused' | 'stopped' | 'failed' | 'cleaned'} */
  state = 'new';
  /** Whether the caller has received the file. */
  downloaded = false;
  /** @type {Finished | null} */
  finished = null;
  /** The error that ended the recording. @type {Error | null} */
  error = null;
  /** @type {string | null} */
  alarm = null;
  /** Every alarm, with the recorded time in ms at which it was raised. @type {{elapsed: number, message: string}[]} */
  alarms = [];
  health = new Health();
  /** When the current pause began, on the page's clock, and the total duration of all earlier pauses, in ms. */
  #pausedAt = 0;
  #paused = 0;
  #stoppedAt = 0;
  #clock;
  #chunks = new Watchdog();
  #acknowledged = new Watchdog();
  #seen = { bytes: 0, acknowledged: 0 };
  /** @type {ReturnType<typeof setInterval>[]} */
  #watching = [];
  /** Messages that are sent as soon as the server is ready. @type {(() => void)[]} */
  #beforeReady = [];

  /** @param {RecordPlan} plan @param {Stages} stages @param {RoomClockLike} clock */
  constructor(plan, { mixer, spool, recorder }, clock) {
    super();
    this.plan = plan;
    this.mixer = mixer;
    this.spool = spool;
    this.recorder = recorder;
    this.#clock = clock;
    mixer.listen('ticks', ({ first, written }) => {
      this.health.addTicks(written);
      this.#whenReady(() => spool.ticks(first, written));
    });
    mixer.listen('event', (happened) => {
      if (happened.event === 'alarm') this.#reportStall(happened.message ?? '');
      this.#whenReady(() => spool.event({ ...happened, time: clock.room(happened.time) }));
    });
    spool.listen('stalled', (message) => this.#raiseAlarm(message));
    spool.listen('alarm', ({ message }) => this.#reportStall(message));
    spool.listen('hashed', ({ sha256 }) => {
      if (this.finished) this.finished.sha256 = sha256;
    });
    mixer.listen('failed', (error) => this.#fail(error));
    recorder.listen('failed', (error) => this.#fail(error));
  }

  get id() {
    return this.spool.recording;
  }

  get scope() {
    return this.plan.recorder;
  }

  /** Whether the recording is running; a paused recording also counts as running. */
  get running() {
    return this.state === 'recording' || this.state === 'paused';
  }

  /** Recorded time so far, in ms, excluding pauses. */
  get elapsed() {
    if (!this.recorder.startedAt) return 0;
    const end = this.#stoppedAt || this.#pausedAt || pageNow();
    return end - this.recorder.startedAt - this.#paused;
  }

  /**
   * Starts recording the given sources; resolves when the server has received data from every track.
   *
   * @param {Source[]} sources
   * @param {RoomAccess} room
   */
  async begin(
    sources,
    { token, presenceFromServer = true, fallbacks = [], statistics = () => Promise.resolve([]) },
  ) {
    const { plan, mixer, spool, recorder } = this;
    for (const source of sources) mixer.set(source);
    const video = plan.type === 'video';
    try {
      await Promise.all([
        mixer.settled(SETTLE),
        spool.open({
          token,
          recording: null,
          recorder: plan.recorder,
          config: plan.config,
          mime_type: plan.mimeType,
          width: video ? plan.width : null,
          height: video ? plan.height : null,
          frame_rate: video ? plan.frameRate : null,
          clock: { offset: this.#clock.offset, error: this.#clock.error },
          presence_from_server: presenceFromServer,
          fallbacks,
        }),
      ]);
      for (const message of this.#beforeReady.splice(0)) message();
      await recorder.start();
      this.state = 'recording';
      this.#watching = [
        setInterval(() => this.#checkProgress(), WATCH_EVERY),
        setInterval(() => void this.#logStatistics(statistics), STATISTICS_EVERY),
      ];
      void this.#logStatistics(statistics);
    } catch (error) {
      this.state = 'failed';
      await mixer.close();
      spool.close();
      throw error;
    }
  }

  /** Replaces all sources of a participant. @param {string} participant @param {Source[]} sources */
  setSources(participant, sources) {
    this.mixer.setSources(participant, sources);
  }

  /** Pauses between two ticks, so that the pause lasts for a whole number of ticks. */
  async pause() {
    await this.#betweenTicks();
    this.recorder.pause();
    this.#pausedAt = pageNow();
    this.spool.recorder('paused', this.#pausedAt);
    this.state = 'paused';
  }

  async resume() {
    await this.#betweenTicks();
    this.recorder.resume();
    const now = pageNow();
    this.#paused += now - this.#pausedAt;
    this.#pausedAt = 0;
    this.spool.recorder('resumed', now);
    this.state = 'recording';
  }

  /** Raises an alarm if the recorder delivers no data, or if the server acknowledges no data. */
  #checkProgress() {
    const { bytes, acknowledged } = this.spool;
    if (bytes > this.#seen.bytes || this.state !== 'recording') this.#chunks.feed();
    if (acknowledged > this.#seen.acknowledged || acknowledged === bytes) this.#acknowledged.feed();
    this.#seen = { bytes, acknowledged };
    this.health.addAcknowledged(acknowledged);
    if (this.#chunks.isStalled()) this.#raiseAlarm('MediaRecorder is not delivering data.');
    if (this.#acknowledged.isStalled()) this.#raiseAlarm('The server is not acknowledging data.');
  }

  /**
   * Sends WebRTC's statistics to the server, which stores them together with the recording.
   *
   * @param {() => Promise<Omit<ConnectionStatistics, 'time'>[]>} statistics
   */
  async #logStatistics(statistics) {
    const time = this.#clock.room(pageNow());
    for (const one of await statistics()) if (this.running) this.spool.statistics({ time, ...one });
  }

  #stopWatching() {
    for (const timer of this.#watching) clearInterval(timer);
  }

  /**
   * Stops the recorder, ends the tick log, and waits until the server has finalized the file.
   *
   * @returns {Promise<Finished>}
   */
  async finish() {
    if (this.error) throw this.error;
    this.#stopWatching();
    this.#stoppedAt = pageNow();
    this.state = 'stopped';
    try {
      this.recorder.hold();
      try {
        await this.mixer.flush();
      } finally {
        await this.recorder.stop();
      }
      const finished = await this.spool.end();
      this.finished = { ...finished, stopToFileMs: pageNow() - this.#stoppedAt };
      return this.finished;
    } finally {
      await this.mixer.close();
    }
  }

  /**
   * Downloads the file in the browser; resolves when the server has sent the last byte, or when it is clear that the
   * browser will not download the file.
   *
   * @param {(address: {url: string, name: string}) => Promise<void>} download
   * @returns {Promise<Downloaded>}
   */
  async download(download) {
    if (!this.finished)
      throw this.error ?? cacheError('The recording was not finalized, so there is nothing to download.');
    await download(await this.spool.address());
    return { ...this.finished, failure: await this.spool.delivery() };
  }

  /** Frees the recording data held by the page; the server keeps its copy. */
  release() {
    this.state = 'cleaned';
    this.spool.close();
  }

  /** Discards the page's and the server's copies of the recording. */
  async discard() {
    if (this.state === 'cleaned') return;
    const lost = this.state === 'failed' || this.spool.closed;
    this.state = 'cleaned';
    if (!lost) await this.spool.clean();
    this.spool.close();
  }

  async #betweenTicks() {
    await this.mixer.nextTick();
    await pause(BETWEEN_TICKS);
  }

  /** Adds an event to the recording's timeline, with the current time. @param {Omit<RoomEvent, 'time'>} event */
  logEvent(event) {
    const time = this.#clock.room(pageNow());
    this.#whenReady(() => this.spool.event({ time, ...event }));
  }

  /** Logs and reports an alarm. @param {string} message */
  #raiseAlarm(message) {
    this.logEvent({ event: 'alarm', message });
    this.#reportStall(message);
  }

  /** @param {string} message */
  #reportStall(message) {
    // Once the recording has finished, no more data is expected, so nothing can stall.
    if (this.finished) return;
    this.alarm = message;
    this.alarms.push({ elapsed: this.elapsed, message });
    this.emit('stalled', message);
  }

  /** Sends a message once the server is ready. @param {() => void} message */
  #whenReady(message) {
    if (this.spool.recording) message();
    else this.#beforeReady.push(message);
  }

  /** @param {Error} error */
  #fail(error) {
    if (!this.running) return;
    this.#stopWatching();
    this.state = 'failed';
    this.error = error;
    void this.mixer.close();
    this.emit('failed', error);
  }
}
