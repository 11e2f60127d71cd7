/** Recordings: NERTC's recording calls, and the recordings in progress. */

import { invalidState, notSupported, recordingError } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { ActiveRecording } from './active-recording.js';
import { recordPlan } from './record-plan.js';
import { extraSources } from './sources.js';

/** @typedef {import('../mixer/mixer.js').Source} Source */
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
  /** @type {CallRoom | null} */
  #room = null;
  #parts;
  #devices;
  #notify;

  /**
   * @param {import('./client.js').Parts} parts
   * @param {import('./devices.js').Devices} devices
   * @param {Notify} notify emits a recording event
   */
  constructor(parts, devices, notify) {
    super();
    this.#parts = parts;
    this.#devices = devices;
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

  /** Starts passing the given room's participants, tracks and events on to the recordings. @param {CallRoom} room */
  follow(room) {
    this.#room = room;
    room.listen('presence', (entry) => {
      const recordings = entry.event === 'call' ? this.#running : this.#ofEverybody;
      for (const recording of recordings) recording.logEvent(entry);
    });
    for (const type of /** @type {const} */ (['joined', 'track', 'state'])) {
      room.listen(type, (member) => {
        for (const { mixer } of this.#ofEverybody) mixer.setSources(member.id, sourcesOf(room, member));
      });
    }
    room.listen('left', ({ id }) => {
      for (const { mixer } of this.#ofEverybody) mixer.setSources(id, []);
    });
    room.listen('disconnected', ({ name }) => this.#logNetwork(name, false));
    room.listen('reconnected', ({ name }) => this.#logNetwork(name, true));
  }

  /** Passes our current video and audio to every recording's mixer. */
  updateOwnSource() {
    const room = this.#room;
    if (room) for (const { mixer } of this.#running) mixer.setSources(room.id, this.#devices.sources(room));
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

  /** The recordings in progress that include all participants. */
  get #ofEverybody() {
    return [...this.#running].filter(({ plan }) => plan.recorder === 'all');
  }

  /** @param {RecordPlan} plan @param {CallRoom} room */
  async #begin(plan, room) {
    this.#starting = plan;
    this.emit('needs');
    try {
      if (plan.recorder === 'all') await room.allReceived();
      const recording = new ActiveRecording(plan, await this.#createStages(plan), room.clock);
      this.#watch(recording);
      const others = plan.recorder === 'all' ? [...room.participants.values()] : [];
      this.#running.add(recording);
      try {
        for (const entry of room.presence(plan.recorder)) recording.logEvent(entry);
        const sources = [...this.#devices.sources(room), ...others.flatMap((one) => sourcesOf(room, one))];
        await recording.begin(sources, {
          token: room.spoolToken,
          presenceFromServer: room.presenceFromServer,
          fallbacks: this.#parts.fallbacks(),
          statistics: () => room.statistics(),
        });
      } catch (error) {
        this.#running.delete(recording);
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
      this.#running.delete(recording);
      this.#notify('recording-failed', { id: recording.id, error });
    });
    recording.mixer.listen('speaker', () => this.emit('needs'));
  }

  /** @param {ActiveRecording} recording */
  async #finish(recording) {
    this.#running.delete(recording);
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

  /** @param {string} participant @param {boolean} on true if the connection was restored, false if it was lost */
  #logNetwork(participant, on) {
    for (const recording of this.#running) recording.logEvent({ event: 'network', participant, on });
  }
}

/**
 * Returns another participant's tracks as sources for the mixer: the camera and the microphone, and any extra tracks.
 *
 * @param {CallRoom} room
 * @param {CallParticipant} member
 * @returns {Source[]}
 */
function sourcesOf(room, { id, name, videoTrack, audioTrack, info, markers, extras = [] }) {
  const of = (/** @type {string | null} */ label) => ({
    name,
    remote: true,
    skew: () => room.skew(id, label),
    resumePlayback: () => room.resumePlayback(id),
    mayRest: () => room.mayRest?.(id, label) ?? { video: info.screen, audio: false },
    lastFrame: () => room.lastFrame?.(id, label) ?? null,
  });
  const { video, audio, screen } = info;
  const main = { ...of(null), id, videoTrack, audioTrack, video, audio, screen };
  const more = extraSources(id, extras, of, (track) => track !== null);
  return [markers ? { ...main, markers } : main, ...more];
}

/** @param {import('./active-recording.js').Downloaded} result */
const notDownloaded = ({ name, failure }) =>
  `The browser did not download ${name} (${failure}). ` +
  'The server still has the file: allow this page to download files, and try again.';
