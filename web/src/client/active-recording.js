/** Take: one recording, from its first byte to its clean. The client owns it; the stages are handed in. */

import { pageNow } from '../shared/clock.js';
import { cacheError } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { Health } from './health.js';
import { Watchdog } from '../shared/watchdog.js';

/** How long a recording waits for everybody's picture to run smoothly before it begins, in ms. */
const SETTLE = 1500;
/** After a tick a frame is on its way to the recorder for some ms; pausing there loses none. */
const BETWEEN_TICKS = 10;
const WATCH_EVERY = 250;
/** How often WebRTC is asked for its statistics, in ms. */
const STATISTICS_EVERY = 1000;

/** @typedef {import('../mixer/mixer.js').Mixer} Mixer */
/** @typedef {import('../mixer/mixer.js').Source} Source */
/** @typedef {import('../recorder/spool.js').Spool} Spool */
/** @typedef {import('../recorder/recorder.js').Recorder} Recorder */
/** @typedef {FinishedRecording & {stopToFileMs: number}} Finished */

/**
 * @typedef {object} Stages
 * @property {Mixer} mixer
 * @property {Spool} spool
 * @property {Recorder} recorder
 */

/** Asks WebRTC for what it says of each connection. @typedef {() => Promise<Omit<ConnectionStatistics, 'time'>[]>} AskStatistics */

/** @type {AskStatistics} */
const unconnected = () => Promise.resolve([]);

/**
 * Emits `stalled` with a message when something stands still, `failed` with an Error when the recording breaks by itself.
 *
 * @extends {Emitter<{stalled: string, failed: Error}>}
 */
export class Take extends Emitter {
  /** @type {'new' | 'recording' | 'paused' | 'stopped' | 'failed' | 'cleaned'} */
  state = 'new';
  downloaded = false;
  /** @type {Finished | null} */
  finished = null;
  /** What broke the recording. @type {Error | null} */
  error = null;
  /** @type {string | null} */
  alarm = null;
  /** Every alarm, and the recorded time in ms at which it was raised. @type {{elapsed: number, message: string}[]} */
  alarms = [];
  health = new Health();
  /** Page time at which the pause began, and ms paused before it. */
  #pausedAt = 0;
  #paused = 0;
  #stoppedAt = 0;
  #clock;
  #chunks = new Watchdog();
  #acknowledged = new Watchdog();
  #seen = { bytes: 0, acknowledged: 0 };
  /** @type {ReturnType<typeof setInterval>[]} */
  #watching = [];
  /** What happens before the server is ready is told as soon as it is. @type {(() => void)[]} */
  #early = [];

  /** @param {RecordPlan} plan @param {Stages} stages @param {RoomClockLike} clock */
  constructor(plan, { mixer, spool, recorder }, clock) {
    super();
    this.plan = plan;
    this.mixer = mixer;
    this.spool = spool;
    this.recorder = recorder;
    this.#clock = clock;
    mixer.listen('ticks', ({ first, written }) => {
      this.health.ticks(written);
      this.#tell(() => spool.ticks(first, written));
    });
    mixer.listen('event', (happened) => {
      if (happened.event === 'alarm') this.#stalled(happened.message ?? '');
      this.#tell(() => spool.event({ ...happened, time: clock.room(happened.time) }));
    });
    spool.listen('stalled', (message) => this.#alarm(message));
    spool.listen('alarm', ({ message }) => this.#stalled(message));
    spool.listen('hashed', ({ sha256 }) => {
      if (this.finished) this.finished.sha256 = sha256;
    });
    mixer.listen('failed', (error) => this.#fail(error));
    recorder.listen('failed', (error) => this.#fail(error));
  }

  get id() {
    return this.spool.recording;
  }

  /** Whether this recording goes on, paused or not. */
  get running() {
    return this.state === 'recording' || this.state === 'paused';
  }

  /** Recorded time so far, in ms, pauses cut out. */
  get elapsed() {
    if (!this.recorder.startedAt) return 0;
    const end = this.#stoppedAt || this.#pausedAt || pageNow();
    return end - this.recorder.startedAt - this.#paused;
  }

  /** Begins with these people in the mix; resolves when bytes of every track are safe. @param {Source[]} sources @param {string} token of the spool @param {AskStatistics} [statistics] @param {boolean} [presenceFromServer] whether join and leave events come from the server */
  async begin(sources, token, statistics = unconnected, presenceFromServer = true) {
    const { plan, mixer, spool, recorder } = this;
    for (const source of sources) mixer.add(source);
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
        }),
      ]);
      for (const message of this.#early.splice(0)) message();
      await recorder.start();
      this.state = 'recording';
      this.#watching = [
        setInterval(() => this.#watch(), WATCH_EVERY),
        setInterval(() => void this.#measure(statistics), STATISTICS_EVERY),
      ];
      void this.#measure(statistics);
    } catch (error) {
      this.state = 'failed';
      await mixer.close();
      spool.close();
      throw error;
    }
  }

  /** Pauses between two ticks, so that what is cut out is a whole number of them. */
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

  /** Looks whether bytes come from the recorder and are acknowledged by the server. */
  #watch() {
    const { bytes, acknowledged } = this.spool;
    if (bytes > this.#seen.bytes || this.state !== 'recording') this.#chunks.moved();
    if (acknowledged > this.#seen.acknowledged || acknowledged === bytes) this.#acknowledged.moved();
    this.#seen = { bytes, acknowledged };
    this.health.acknowledged(acknowledged);
    if (this.#chunks.barks()) this.#alarm('MediaRecorder gives no data.');
    if (this.#acknowledged.barks()) this.#alarm('The server acknowledges nothing.');
  }

  /** Notes how picture and sound travel, beside the recording. @param {AskStatistics} statistics */
  async #measure(statistics) {
    const time = this.#clock.room(pageNow());
    for (const one of await statistics()) if (this.running) this.spool.statistics({ time, ...one });
  }

  #watchNoMore() {
    for (const timer of this.#watching) clearInterval(timer);
  }

  /** Ends: the recorder, then the tick log, then the server's finishing. @returns {Promise<Finished>} */
  async finish() {
    if (this.error) throw this.error;
    this.#watchNoMore();
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

  /** Downloads through the browser; resolves when the last byte is sent. @param {(address: {url: string, name: string}) => Promise<void>} download */
  async fetch(download) {
    if (!this.finished)
      throw this.error ?? cacheError('The recording was not finished; there is nothing to download.');
    const address = await this.spool.address();
    const sent = this.spool.sent();
    await Promise.all([download(address), sent]);
    this.downloaded = true;
    return this.finished;
  }

  /** Frees the page's and the server's copy. */
  async free() {
    if (this.state === 'cleaned') return;
    const lost = this.state === 'failed' || this.spool.closed;
    this.state = 'cleaned';
    if (!lost) await this.spool.clean();
    this.spool.close();
  }

  async #betweenTicks() {
    await this.mixer.nextTick();
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_TICKS));
  }

  /** Notes in the recording's own record that something happens now. @param {Omit<RoomEvent, 'time'>} event */
  note(event) {
    const time = this.#clock.room(pageNow());
    this.#tell(() => this.spool.event({ time, ...event }));
  }

  /** Notes that something stalls, and says so. @param {string} message */
  #alarm(message) {
    this.note({ event: 'alarm', message });
    this.#stalled(message);
  }

  /** @param {string} message */
  #stalled(message) {
    // What is finished waits for nothing.
    if (this.finished) return;
    this.alarm = message;
    this.alarms.push({ elapsed: this.elapsed, message });
    this.emit('stalled', message);
  }

  /** @param {() => void} message */
  #tell(message) {
    if (this.spool.recording) message();
    else this.#early.push(message);
  }

  /** @param {Error} error */
  #fail(error) {
    if (!this.running) return;
    this.#watchNoMore();
    this.state = 'failed';
    this.error = error;
    void this.mixer.close();
    this.emit('failed', error);
  }
}
