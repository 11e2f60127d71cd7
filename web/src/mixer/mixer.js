/** Mixer: owns the one steady stream. People come, go and change inside it; the recorder never notices (Chrome facts 1, 2). */

import { pageNow } from '../shared/clock.js';
import { recordingError, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/pause.js';
import { Watchdog } from '../shared/watchdog.js';
import { startWorker } from '../shared/start-worker.js';
import { AudioMixer } from './audio/mixer.js';
import { percentile } from './percentile.js';

/**
 * How often the skew between a participant's picture and sound is read, in ms, and how many readings count; or only the
 * last ones, while they differ from the rest by more than so many ms: WebRTC catches up, at the start or after a cut.
 */
const SKEW_EVERY = 100;
const SKEWS = 25;
const LAST_SKEWS = 3;
const MOVING = 25;
/** How often the loudest is looked for, in ms; how much louder than the speaker a newcomer must be, how many times. */
const SPEAKER_EVERY = 250;
const LOUDER = 1.5;
const SURE = 4;
const ANSWER_WITHIN = 5000;
const WATCH_EVERY = 250;

/**
 * @typedef {object} Source
 * @property {string} id
 * @property {string} name
 * @property {MediaStreamTrack | null} videoTrack
 * @property {MediaStreamTrack | null} audioTrack
 * @property {boolean} video whether the camera is on
 * @property {boolean} audio whether the microphone is on
 * @property {boolean} screen whether the picture is a screen
 * @property {boolean} remote
 * @property {() => Promise<number | null>} skew how late the sound arrives after its picture, ms; null: unknown
 * @property {() => void} resumePlayback makes the sound flow again after the sound system stood still
 */

/** @typedef {{ticks: TickLog, event: RoomEvent, speaker: string, failed: Error}} MixerEvents */
/** @typedef {Source & {delay: number, skews: number[], sound: Watchdog}} Entry */

/**
 * Emits `ticks` with { first, written } and `event` with a RoomEvent, times being page times; `speaker` with an id.
 *
 * @extends {Emitter<MixerEvents>}
 */
export class Mixer extends Emitter {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** Everybody's name, also of those who left: the worker's last word on them comes later. @type {Map<string, string>} */
  #names = new Map();
  #audio = new AudioMixer(() => {
    for (const entry of this.#entries.values()) entry.resumePlayback();
  });
  /** @type {Worker | null} */
  #worker = null;
  /** Whether the sound system's clock moves. */
  #clock = new Watchdog();
  /** Who was loudest last time, and how many times before. @type {string | null} */
  #wished = null;
  #wishes = 0;
  /** @type {Record<string, ReturnType<typeof setInterval>>} */
  #timer = {};
  /** Who stands large in the layout 'speaker'. @type {string | null} */
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
        this.#onWorker(data),
      );
      const { width, height, frameRate, layout, names } = plan;
      const { writable } = generator;
      this.#post({ type: 'start', writable, width, height, frameRate, layout, names }, [writable]);
      if (layout === 'speaker') this.#timer.speaker = setInterval(() => this.#chooseSpeaker(), SPEAKER_EVERY);
    }
    this.stream.addTrack(this.#audio.track);
    this.#timer.watch = setInterval(() => this.#watch(), WATCH_EVERY);
    this.#timer.skews = setInterval(() => void this.#readSkews(), SKEW_EVERY);
  }

  /** Takes somebody in. @param {Source} source */
  add(source) {
    const entry = { ...source, delay: 0, skews: [], sound: new Watchdog() };
    this.#entries.set(source.id, entry);
    this.#names.set(source.id, source.name);
    const readable = frames(source.videoTrack);
    const { id, name, remote } = source;
    this.#post({ type: 'add', id, name, remote, readable }, readable ? [readable] : []);
    this.#post({ type: 'show', id: source.id, on: source.video });
    if (source.audioTrack) {
      this.#hear(entry, source.audioTrack);
      if (source.audio) this.#sound(source.name, true);
    }
    void this.#readSkews();
  }

  /** Takes what has changed about somebody: other tracks, microphone or camera on or off. @param {Source} source */
  update(source) {
    const entry = this.#entries.get(source.id);
    if (!entry) return;
    const before = { ...entry };
    Object.assign(entry, source);
    if (source.videoTrack !== before.videoTrack) {
      const readable = frames(source.videoTrack);
      this.#post({ type: 'source', id: source.id, readable }, readable ? [readable] : []);
    }
    if (source.video !== before.video) this.#post({ type: 'show', id: source.id, on: source.video });
    if (source.audioTrack !== before.audioTrack) {
      if (source.audioTrack) this.#hear(entry, source.audioTrack);
      else this.#audio.remove(source.id);
    }
    const sounded = before.audio && before.audioTrack !== null;
    const sounds = source.audio && source.audioTrack !== null;
    if (sounds !== sounded) this.#sound(source.name, sounds);
  }

  /** @param {string} id */
  remove(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.#audio.remove(id);
    this.#post({ type: 'remove', id });
    if (entry.audio && entry.audioTrack) this.#sound(entry.name, false);
  }

  /** Resolves when everybody's picture runs steadily, or after `ms`; tells which. @param {number} ms */
  async settled(ms) {
    const end = pageNow() + ms;
    const unsettled = () =>
      this.#worker &&
      [...this.#entries.values()].some((entry) => entry.video && entry.videoTrack && !entry.delay);
    while (unsettled() && pageNow() < end) await pause(20);
    return !unsettled();
  }

  /** Resolves when every tick so far has been reported. */
  async flush() {
    await this.#ask('flush', 'flushed');
  }

  /** Resolves just after a tick was written. */
  async nextTick() {
    await this.#ask('nextTick', 'ticked');
  }

  /** @param {'flush' | 'nextTick'} question @param {FromVideoWorker['type']} answer */
  async #ask(question, answer) {
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
    await within(answered, ANSWER_WITHIN, () => 'The mixer did not answer within 5 s.');
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
  #onWorker(message) {
    switch (message.type) {
      case 'ticks':
        this.emit('ticks', message);
        break;
      case 'layout': {
        const tiles = message.tiles.map(({ id, ...rect }) => ({ participant: this.#name(id), ...rect }));
        this.#event({ time: message.time, event: 'layout', tiles });
        break;
      }
      case 'video':
        this.#event({
          time: message.time,
          event: 'video',
          participant: this.#name(message.id),
          on: message.on,
        });
        break;
      case 'alarm':
        this.#alarm(message.time, `${message.message} ${this.#name(message.id)}.`);
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

  /** Shows a shared screen large, else who is loudest; a newcomer must be so for a while. */
  #chooseSpeaker() {
    const entries = [...this.#entries.values()];
    const screen = entries.find((entry) => entry.screen && entry.video);
    const levels = new Map(entries.filter(({ audio }) => audio).map(({ id }) => [id, this.#audio.level(id)]));
    const loudest = [...levels].toSorted(([, a], [, b]) => b - a)[0];
    const current = levels.get(this.speaker ?? '') ?? 0;
    const wanted = screen?.id ?? (loudest && loudest[1] > LOUDER * current ? loudest[0] : this.speaker);
    this.#wishes = wanted === this.#wished ? this.#wishes + 1 : 0;
    this.#wished = wanted;
    const sure = screen || this.speaker === null || !this.#entries.has(this.speaker) || this.#wishes >= SURE;
    if (!wanted || wanted === this.speaker || !sure) return;
    this.speaker = wanted;
    this.#post({ type: 'speaker', id: wanted });
    this.emit('speaker', wanted);
  }

  /** Looks whether everybody's sound, and the sound system itself, still moves. */
  #watch() {
    if (this.#audio.moved()) this.#clock.feed();
    if (this.#clock.isStalled()) this.#alarm(pageNow(), 'The sound system stands still.');
    for (const { id, name, audio, audioTrack, sound } of this.#entries.values()) {
      // True silence is no quiet room, where something always hums: nothing arrives.
      if (!audio || !audioTrack || this.#audio.sounds(id)) sound.feed();
      if (sound.isStalled()) this.#alarm(pageNow(), `No sound comes from ${name}.`);
    }
  }

  /** @param {number} time @param {string} message */
  #alarm(time, message) {
    this.#event({ time, event: 'alarm', message });
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
  #hear(entry, track) {
    this.#audio.set(entry.id, track, entry.remote);
    this.#align(entry);
  }

  /** Delays the sound as the picture is delayed, less what WebRTC let the sound come late. @param {Entry} entry */
  #align({ id, delay, skews }) {
    const settled = percentile(skews, 0.5);
    const last = percentile(skews.slice(-LAST_SKEWS), 0.5);
    this.#audio.setDelay(id, delay, Math.abs(last - settled) > MOVING ? last : settled);
  }

  /** @param {string} name @param {boolean} on */
  #sound(name, on) {
    this.#event({ time: pageNow(), event: 'audio', participant: name, on });
  }

  /** @param {RoomEvent} event */
  #event(event) {
    this.emit('event', event);
  }

  /** @param {string} id */
  #name(id) {
    return this.#names.get(id) ?? id;
  }

  /** @param {ToVideoWorker} message @param {Transferable[]} [transfer] */
  #post(message, transfer = []) {
    this.#worker?.postMessage(message, transfer);
  }
}

/** The track's frames as a stream that a worker can take over (Chrome facts 11, 42). @param {MediaStreamTrack | null} track */
function frames(track) {
  if (!track || track.readyState === 'ended') return null;
  return new MediaStreamTrackProcessor({
    track: /** @type {MediaStreamVideoTrack} */ (track),
    maxBufferSize: 8,
  }).readable;
}
