/** Recordings: NERTC's recording calls, and the recordings in progress. */

import { invalidState, notSupported, recordingError } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { ActiveRecording } from './active-recording.js';
import { recordPlan } from './record-plan.js';

/**
 * @typedef {object} DownloadOptions
 * @property {boolean} [useSpool] whether the caller takes files from the server's spool if the browser does not download
 * them; in this case, a failed download is a result and not an error, and a new recording does not delete the server's
 * copy of the previous one
 */
/** @typedef {<Name extends keyof RecordingEvents>(name: Name, detail: RecordingEvents[Name]) => void} Notify */

/**
 * The client's queue ensures that each call begins only after the previous one has ended. Emits `needs` when the
 * participants or sizes that a recording needs have changed.
 *
 * @extends {Emitter<{needs: void}>}
 */
export class Recordings extends Emitter {
  /** The recording on which NERTC's recording calls operate. @type {ActiveRecording | null} */
  current = null;
  /** The recordings in progress, including one that is about to start. @type {Set<ActiveRecording>} */
  #running = new Set();
  /** The plan of the recording that is about to start. @type {RecordPlan | null} */
  #starting = null;
  #parts;
  #feed;
  #notify;

  /**
   * @param {import('./client.js').Parts} parts
   * @param {import('./call-feed.js').CallFeed} feed
   * @param {Notify} notify emits a recording event
   */
  constructor(parts, feed, notify) {
    super();
    this.#parts = parts;
    this.#feed = feed;
    this.#notify = notify;
  }

  /** The newest recording's plan and speaker; null if nothing is being recorded. */
  get needs() {
    const newest = [...this.#running].at(-1);
    const plan = this.#starting ?? newest?.plan;
    return plan ? { plan, speaker: newest?.mixer.speaker ?? null } : null;
  }

  /** @returns {RecordingStatus} */
  get status() {
    const { current } = this;
    return {
      state: current?.state ?? 'none',
      id: current?.id ?? null,
      elapsed: current?.elapsed ?? 0,
      bytes: current?.spool.bytes ?? 0,
      bytesAcknowledged: current?.spool.acknowledged ?? 0,
      alarm: current?.alarm ?? null,
    };
  }

  /**
   * @param {CallRoom | null} room our room, or null if we are not in a room
   * @param {RecordOptions} [data]
   * @param {DownloadOptions} [options]
   */
  async start(room, data, options = {}) {
    const reason = this.#parts.unsupported();
    if (reason) throw notSupported(reason);
    const plan = recordPlan(data);
    if (!room) throw invalidState('Not in a room; join one before recording.');
    room.checkRecordable();
    const old = this.current;
    /** The recordings that were downloaded automatically. @type {import('./active-recording.js').Downloaded[]} */
    const downloaded = [];
    // If a recording's connection has closed, the recording can't be downloaded. The server has published the recording
    // or will recover it.
    if (old?.state === 'stopped' && !old.downloaded && !old.spool.closed)
      downloaded.push(await this.#download(old, options));
    const recording = await this.#begin(plan, room);
    this.current = recording;
    if (old?.running) {
      await this.#finish(old);
      // The new recording has begun, so a failed download of the old one must not make this call fail.
      const result = await this.#download(old, { useSpool: true });
      if (result.failure !== null && !options.useSpool)
        this.#notify('recording-stalled', { id: old.id, message: notDownloaded(result) });
      downloaded.push(result);
    }
    // A file that was not downloaded exists only in the spool.
    const keep = options.useSpool ?? downloaded.some(({ failure }) => failure !== null);
    if (old && keep) this.#release(old);
    else if (old) await this.#discard(old);
    this.#notify('recording-started', { id: recording.id });
    const released = keep && old ? old.id : null;
    return { id: recording.id, mimeType: plan.mimeType, elapsed: recording.elapsed, downloaded, released };
  }

  async stop() {
    const { current } = this;
    if (!current?.running && current?.state !== 'failed') {
      throw invalidState('Nothing is being recorded; start a recording before stopping it.');
    }
    return this.#finish(current);
  }

  async pause() {
    const { current } = this;
    if (current?.state !== 'recording')
      throw invalidState('Nothing is being recorded, so there is nothing to pause.');
    await current.pause();
    this.#notify('recording-paused', { id: current.id });
  }

  async resume() {
    const { current } = this;
    if (current?.state !== 'paused')
      throw invalidState('No recording is paused, so there is nothing to resume.');
    await current.resume();
    this.#notify('recording-resumed', { id: current.id });
  }

  /** @param {DownloadOptions} [options] */
  async download(options = {}) {
    const { current } = this;
    if (!current || current.state === 'cleaned') {
      throw invalidState('Nothing has been recorded; start and stop a recording before downloading it.');
    }
    await this.finishRunning();
    return this.#download(current, options);
  }

  async clean() {
    await this.finishRunning();
    if (this.current) await this.#discard(this.current);
  }

  /** Finishes the current recording if it is in progress. */
  async finishRunning() {
    if (this.current?.running) await this.#finish(this.current);
  }

  /** @param {RecordPlan} plan @param {CallRoom} room */
  async #begin(plan, room) {
    this.#starting = plan;
    this.emit('needs');
    try {
      if (plan.recorder === 'all') await room.allReceived();
      const recording = new ActiveRecording(plan, await this.#createStages(plan), room.clock);
      this.#watch(recording);
      this.#running.add(recording);
      try {
        await recording.begin(this.#feed.add(recording, room), {
          token: room.spoolToken,
          presenceFromServer: room.presenceFromServer,
          fallbacks: this.#parts.fallbacks(),
          statistics: () => room.statistics(),
        });
      } catch (error) {
        this.#end(recording);
        throw error;
      }
      return recording;
    } finally {
      this.#starting = null;
      this.emit('needs');
    }
  }

  /**
   * Creates a recording's stages; if a later stage can't be created, closes the mixer again.
   *
   * @param {RecordPlan} plan
   */
  async #createStages(plan) {
    const mixer = this.#parts.createMixer(plan);
    try {
      const spool = this.#parts.createSpool();
      return { mixer, spool, recorder: this.#parts.createRecorder(mixer.stream, spool, plan) };
    } catch (error) {
      await mixer.close();
      throw error;
    }
  }

  /** @param {ActiveRecording} recording */
  #watch(recording) {
    recording.listen('stalled', (message) =>
      this.#notify('recording-stalled', { id: recording.id, message }),
    );
    recording.listen('failed', (error) => {
      this.#end(recording);
      this.#notify('recording-failed', { id: recording.id, error });
    });
    recording.mixer.listen('speaker', () => this.emit('needs'));
  }

  /** Stops passing the call on to a recording. @param {ActiveRecording} recording */
  #end(recording) {
    this.#running.delete(recording);
    this.#feed.delete(recording);
  }

  /** @param {ActiveRecording} recording */
  async #finish(recording) {
    this.#end(recording);
    try {
      const finished = await recording.finish();
      this.#notify('recording-stopped', finished);
      this.#notify('@media-recording-stopped', finished);
      return finished;
    } finally {
      this.emit('needs');
    }
  }

  /** @param {ActiveRecording} recording @param {DownloadOptions} options */
  async #download(recording, { useSpool = false }) {
    const result = await recording.download(this.#parts.download);
    if (result.failure === null) this.#notify('recording-downloaded', result);
    else if (!useSpool) throw recordingError(notDownloaded(result));
    // If the browser did not download the file, the caller takes it from the spool.
    recording.downloaded = true;
    return result;
  }

  /** Frees the recording data held by the page, but keeps the server's copy. @param {ActiveRecording} recording */
  #release(recording) {
    if (recording.state === 'cleaned') return;
    recording.release();
    this.#notify('recording-cleaned', { id: recording.id });
  }

  /** @param {ActiveRecording} recording */
  async #discard(recording) {
    if (recording.state === 'cleaned') return;
    await recording.discard();
    this.#notify('recording-cleaned', { id: recording.id });
  }
}

/** @param {import('./active-recording.js').Downloaded} result */
const notDownloaded = ({ name, failure }) =>
  `The browser did not download ${name} (${failure}). ` +
  'The server still has the file: allow this page to download files, and try again.';
