/**
 * Mixer: mixes all participants' tracks into one continuous stream, since the recorder's tracks must not change (Chrome
 * facts 1, 2).
 *
 * Input: the client's sources, one per participant. Output: the `stream` to record, and events about ticks, layout and
 * alarms. The video is mixed in a worker (video/worker.js), and the audio in an AudioContext (audio/mixer.js).
 */

import { pageNow } from '../shared/clock.js';
import { recordingError, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/promises.js';
import { Watchdog } from '../shared/watchdog.js';
import { startWorker } from '../shared/start-worker.js';
import { AudioMixer } from './audio/mixer.js';
import { percentile } from './percentile.js';
import { trackEvents } from './track-events.js';

/**
 * How often the skew between a participant's video and audio is read, in ms, and the number of readings that are kept.
 * When media starts and after a gap, WebRTC catches up, which changes the skew. While the median of the last few
 * readings differs from the median of all readings by more than SKEW_CHANGES ms, only the last few readings are used.
 */
const SKEW_EVERY = 100;
const SKEWS = 25;
const LAST_SKEWS = 3;
const SKEW_CHANGES = 25;
/**
 * The speaker is chosen at this interval, in ms. To get the large tile, a new speaker must be this many times louder
 * than the current speaker, and must be chosen this many times in a row.
 */
const SPEAKER_EVERY = 250;
const LOUDER = 1.5;
const TIMES = 4;
const ANSWER_WITHIN = 5000;
const WATCH_EVERY = 250;

/**
 * @typedef {object} Source
 * @property {string} id a unique id; the ids of a participant's extra sources begin with the participant's id and a
 * slash
 * @property {string} name of the participant
 * @property {string} [track] the label of extra tracks, for example "screen"
 * @property {MediaStreamTrack | null} videoTrack
 * @property {MediaStreamTrack | null} audioTrack
 * @property {boolean} video whether the camera is on
 * @property {boolean} audio whether the microphone is on
 * @property {boolean} screen whether the video is a shared screen
 * @property {boolean} remote
 * @property {() => Promise<number | null>} skew how much later the audio arrives than the video, in ms; null if unknown
 * @property {() => void} resumePlayback restarts the audio after the audio system was suspended
 * @property {TrackMarkers} [markers] the markers in the tracks of another application; undefined in our own room
 * @property {() => {video: boolean, audio: boolean}} [mayRest] whether it is normal for the video to be static, and for
 * the audio to be completely silent
 * @property {() => VideoFrame | null} [lastFrame] returns a copy of the latest frame of a video that may be static
 */

/** @typedef {{ticks: TickLog, event: RoomEvent, speaker: string, failed: Error}} MixerEvents */
/** @typedef {Source & {delay: number, skews: number[], audioWatchdog: Watchdog, rests: boolean, silent: boolean}} Entry */

/**
 * Emits `ticks` with { first, written }, `event` with a RoomEvent, and `speaker` with an id. All times are on the
 * page's clock.
 *
 * @extends {Emitter<MixerEvents>}
 */
export class Mixer extends Emitter {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /**
   * The participant and track of each source, including sources that were removed, since the worker may still send
   * events about them.
   *
   * @type {Map<string, {participant: string, track?: string}>}
   */
  #names = new Map();
  #audio = new AudioMixer(() => {
    for (const entry of this.#entries.values()) entry.resumePlayback();
  });
  /** @type {Worker | null} */
  #worker = null;
  /** Detects when the audio system's clock stops advancing. */
  #audioClock = new Watchdog();
  /**
   * The participant who was last chosen as the speaker, and how many times in a row the choice was repeated.
   *
   * @type {string | null}
   */
  #candidate = null;
  #times = 0;
  /** @type {Record<string, ReturnType<typeof setInterval>>} */
  #timer = {};
  /** The participant in the large tile of the 'speaker' layout. @type {string | null} */
  speaker = null;

  /** @param {RecordPlan} plan */
  constructor(plan) {
    super();
    this.stream = new MediaStream();
    if (plan.type === 'video') {
      const generator = new MediaStreamTrackGenerator({ kind: 'video' });
      this.stream.addTrack(generator);
      this.#worker = startWorker(new URL('./video/worker.js', import.meta.url));
      this.#worker.addEventListener('message', (/** @type {MessageEvent<FromVideoWorker>} */ { data }) =>
        this.#onWorkerMessage(data),
      );
      const { width, height, frameRate, layout, names } = plan;
      const { writable } = generator;
      this.#post({ type: 'start', writable, width, height, frameRate, layout, names }, [writable]);
      if (layout === 'speaker') this.#timer.speaker = setInterval(() => this.#chooseSpeaker(), SPEAKER_EVERY);
    }
    this.stream.addTrack(this.#audio.track);
    this.#timer.watch = setInterval(() => this.#checkAudio(), WATCH_EVERY);
    this.#timer.skews = setInterval(() => void this.#readSkews(), SKEW_EVERY);
  }

  /**
   * Replaces all sources of a participant; an empty list removes the participant.
   *
   * @param {string} participant the participant's id
   * @param {Source[]} sources
   */
  setSources(participant, sources) {
    const ids = new Set(sources.map(({ id }) => id));
    for (const id of [...this.#entries.keys()])
      if ((id === participant || id.startsWith(`${participant}/`)) && !ids.has(id)) this.#remove(id);
    for (const source of sources) this.set(source);
  }

  /** Adds a source, or updates its tracks and whether its microphone and camera are on. @param {Source} source */
  set(source) {
    const { id, name, track } = source;
    const before = this.#entries.get(id);
    const entry = { ...(before ?? this.#add(source)), ...source };
    this.#entries.set(id, entry);
    this.#names.set(id, { participant: name, ...(track === undefined ? {} : { track }) });
    if (before && name !== before.name) this.#post({ type: 'rename', id, name: tileNameOf(source) });
    if (source.videoTrack !== (before?.videoTrack ?? null)) {
      const readable = framesOf(source.videoTrack);
      const first = readable ? (source.lastFrame?.() ?? null) : null;
      this.#post(
        { type: 'source', id, readable, first },
        [readable, first].filter((one) => one !== null),
      );
    }
    if (source.video !== before?.video) this.#post({ type: 'show', id, on: source.video });
    if (source.audioTrack !== (before?.audioTrack ?? null)) {
      if (source.audioTrack) this.#mixAudio(entry, source.audioTrack);
      else this.#audio.remove(id);
    }
    const wasOn = before !== undefined && before.audio && before.audioTrack !== null;
    const isOn = source.audio && source.audioTrack !== null;
    // A microphone that is off from the start is reported, so that the manifest does not expect its audio.
    const turnedOff = !source.audio && (before?.audio ?? true);
    if (isOn !== wasOn || turnedOff) {
      entry.silent = false;
      this.#emitAudio(id, isOn);
    }
    for (const event of trackEvents(before ?? null, entry)) this.#emitEvent(event);
    if (!before) void this.#readSkews();
  }

  /** @param {Source} source @returns {Entry} */
  #add(source) {
    const { id, remote } = source;
    // Extra audio has no tile.
    if (source.videoTrack || source.track === undefined)
      this.#post({ type: 'add', id, name: tileNameOf(source), remote });
    const state = { delay: 0, skews: [], audioWatchdog: new Watchdog(), rests: false, silent: false };
    return { ...source, ...state };
  }

  /** @param {string} id */
  #remove(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.#audio.remove(id);
    this.#post({ type: 'remove', id });
    if (entry.audio && entry.audioTrack && !entry.silent) this.#emitAudio(id, false);
    for (const event of trackEvents(entry, null)) this.#emitEvent(event);
  }

  /**
   * Waits up to `ms` for all participants' video to run steadily; resolves to true if it does.
   *
   * @param {number} ms
   */
  async settled(ms) {
    const end = pageNow() + ms;
    const unsettled = () =>
      this.#worker &&
      [...this.#entries.values()].some(
        (entry) => entry.video && entry.videoTrack && !entry.delay && !entry.mayRest?.().video,
      );
    while (unsettled() && pageNow() < end) await pause(20);
    return !unsettled();
  }

  /** Resolves when the worker has reported all ticks that it has written so far. */
  async flush() {
    await this.#request('flush', 'flushed');
  }

  /** Resolves right after the next tick has been written. */
  async nextTick() {
    await this.#request('nextTick', 'ticked');
  }

  /** @param {'flush' | 'nextTick'} question @param {FromVideoWorker['type']} answer */
  async #request(question, answer) {
    const worker = this.#worker;
    if (!worker) return;
    const answered = new Promise((resolve) => {
      const once = (/** @type {MessageEvent<FromVideoWorker>} */ { data }) => {
        if (data.type !== answer) return;
        worker.removeEventListener('message', once);
        resolve(undefined);
      };
      worker.addEventListener('message', once);
    });
    this.#post({ type: question });
    await within(answered, ANSWER_WITHIN, () => 'The mixer did not respond within 5 s.');
  }

  async close() {
    for (const timer of Object.values(this.#timer)) clearInterval(timer);
    this.#entries.clear();
    this.#post({ type: 'stop' });
    this.#worker?.terminate();
    this.#worker = null;
    for (const track of this.stream.getTracks()) track.stop();
    await this.#audio.close();
  }

  /** @param {FromVideoWorker} message */
  #onWorkerMessage(message) {
    switch (message.type) {
      case 'ticks':
        this.emit('ticks', message);
        break;
      case 'layout': {
        const tiles = message.tiles.map(({ id, ...rect }) => ({ ...this.#ownerOf(id), ...rect }));
        this.#emitEvent({ time: message.time, event: 'layout', tiles });
        break;
      }
      case 'video':
        this.#emitEvent({
          time: message.time,
          event: 'video',
          ...this.#ownerOf(message.id),
          on: message.on,
        });
        break;
      case 'alarm':
        this.#raiseAlarm(message.time, `${message.message} ${this.#ownerOf(message.id).participant}.`);
        break;
      case 'delay': {
        const entry = this.#entries.get(message.id);
        if (!entry) break;
        entry.delay = message.delay;
        this.#align(entry);
        break;
      }
      case 'failed':
        this.emit('failed', recordingError(`The mixer failed: ${message.message}.`));
        break;
      default:
    }
  }

  /**
   * Chooses the participant for the large tile: a participant who is sharing a screen or, if there is none, the
   * participant who has been the loudest for a while.
   */
  #chooseSpeaker() {
    const entries = [...this.#entries.values()];
    const screen = entries.find((entry) => entry.screen && entry.video);
    const levels = new Map(entries.filter(({ audio }) => audio).map(({ id }) => [id, this.#audio.level(id)]));
    const loudest = [...levels].toSorted(([, a], [, b]) => b - a)[0];
    const current = levels.get(this.speaker ?? '') ?? 0;
    const chosen = screen?.id ?? (loudest && loudest[1] > LOUDER * current ? loudest[0] : this.speaker);
    this.#times = chosen === this.#candidate ? this.#times + 1 : 0;
    this.#candidate = chosen;
    const sure = screen || this.speaker === null || !this.#entries.has(this.speaker) || this.#times >= TIMES;
    if (!chosen || chosen === this.speaker || !sure) return;
    this.speaker = chosen;
    this.#post({ type: 'speaker', id: chosen });
    this.emit('speaker', chosen);
  }

  /** Raises an alarm if a participant's audio or the audio system itself has stalled. */
  #checkAudio() {
    if (this.#audio.advances()) this.#audioClock.feed();
    if (this.#audioClock.isStalled()) this.#raiseAlarm(pageNow(), 'The audio system has stalled.');
    for (const entry of this.#entries.values()) {
      const { id, name, audio, audioTrack, audioWatchdog } = entry;
      const rests = entry.mayRest?.() ?? { video: false, audio: false };
      if (rests.video !== entry.rests) this.#post({ type: 'rest', id, on: rests.video });
      entry.rests = rests.video;
      // If all samples are exactly zero, no audio is arriving, since even a quiet room has some noise.
      const hasSignal = !audio || !audioTrack || this.#audio.hasSignal(id);
      if (hasSignal) audioWatchdog.feed();
      if (audio && audioTrack && rests.audio && audioWatchdog.stalled !== entry.silent) {
        // The track was muted or unmuted without an announcement.
        entry.silent = audioWatchdog.stalled;
        this.#emitAudio(id, !entry.silent);
      }
      if (!rests.audio && audioWatchdog.isStalled())
        this.#raiseAlarm(pageNow(), `No audio is arriving from ${name}.`);
    }
  }

  /** @param {number} time @param {string} message */
  #raiseAlarm(time, message) {
    this.#emitEvent({ time, event: 'alarm', message });
  }

  async #readSkews() {
    for (const entry of this.#entries.values()) {
      const skew = entry.remote ? await entry.skew() : null;
      if (skew === null) continue;
      entry.skews.push(skew);
      if (entry.skews.length > SKEWS) entry.skews.shift();
      this.#align(entry);
    }
  }

  /** @param {Entry} entry @param {MediaStreamTrack} track */
  #mixAudio(entry, track) {
    this.#audio.set(entry.id, track, entry.remote);
    this.#align(entry);
  }

  /**
   * Delays a participant's audio by the delay of the participant's video, minus the time by which the audio already
   * lags behind the video.
   *
   * @param {Entry} entry
   */
  #align({ id, delay, skews }) {
    const settled = percentile(skews, 0.5);
    const last = percentile(skews.slice(-LAST_SKEWS), 0.5);
    this.#audio.setDelay(id, delay, Math.abs(last - settled) > SKEW_CHANGES ? last : settled);
  }

  /** @param {string} id @param {boolean} on */
  #emitAudio(id, on) {
    this.#emitEvent({ time: pageNow(), event: 'audio', ...this.#ownerOf(id), on });
  }

  /** @param {RoomEvent} event */
  #emitEvent(event) {
    this.emit('event', event);
  }

  /** Returns the participant and the label of a source. @param {string} id */
  #ownerOf(id) {
    return this.#names.get(id) ?? { participant: id };
  }

  /** @param {ToVideoWorker} message @param {Transferable[]} [transfer] */
  #post(message, transfer = []) {
    this.#worker?.postMessage(message, transfer);
  }
}

/** Returns the name to show in a source's tile. @param {Source} source */
const tileNameOf = ({ name, track }) => (track === undefined ? name : `${name} (${track})`);

/**
 * Returns the track's frames as a stream that can be transferred to a worker (Chrome facts 11, 42).
 *
 * @param {MediaStreamTrack | null} track
 */
function framesOf(track) {
  if (!track || track.readyState === 'ended') return null;
  return new MediaStreamTrackProcessor({
    track: /** @type {MediaStreamVideoTrack} */ (track),
    maxBufferSize: 8,
  }).readable;
}
