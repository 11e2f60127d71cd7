/** Mixer: owns the one steady stream. People come, go and change inside it; the recorder never notices. */

import { pageNow } from '../clock.js';
import { recordingError, within } from '../errors.js';
import { AudioMixer } from './audio.js';

/** How often the skew between a participant's picture and sound is read, in ms, and how many readings count. */
const SKEW_EVERY = 1000;
const SKEWS = 5;

/**
 * @typedef {object} Source
 * @property {string} id
 * @property {string} name
 * @property {MediaStreamTrack | null} videoTrack
 * @property {MediaStreamTrack | null} audioTrack
 * @property {boolean} video whether the camera is on
 * @property {boolean} audio whether the microphone is on
 * @property {boolean} remote
 * @property {() => Promise<number | null>} skew how late the sound arrives after its picture, ms; null: unknown
 */

/** @typedef {Source & {delay: number, skews: number[]}} Entry */

/** Emits `ticks` with { first, written } and `event` with a RoomEvent, times being page times. */
export class Mixer extends EventTarget {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** Everybody's name, also of those who left: the worker's last word on them comes later. @type {Map<string, string>} */
  #names = new Map();
  #audio = new AudioMixer();
  /** @type {Worker | null} */
  #worker = null;
  #timer;

  /** @param {RecordPlan} plan */
  constructor(plan) {
    super();
    this.stream = new MediaStream();
    if (plan.type === 'video') {
      const generator = new MediaStreamTrackGenerator({ kind: 'video' });
      this.stream.addTrack(generator);
      this.#worker = new Worker(new URL('./video-worker.js', import.meta.url), { type: 'module' });
      this.#worker.addEventListener('message', (/** @type {MessageEvent<FromVideoWorker>} */ { data }) =>
        this.#onWorker(data),
      );
      const { width, height, frameRate } = plan;
      this.#post({ type: 'start', writable: generator.writable, width, height, frameRate }, [
        generator.writable,
      ]);
    }
    this.stream.addTrack(this.#audio.track);
    this.#timer = setInterval(() => void this.#readSkews(), SKEW_EVERY);
  }

  /** Takes somebody in. @param {Source} source */
  add(source) {
    this.#entries.set(source.id, { ...source, delay: 0, skews: [] });
    this.#names.set(source.id, source.name);
    const readable = frames(source.videoTrack);
    this.#post({ type: 'add', id: source.id, name: source.name, readable }, readable ? [readable] : []);
    this.#post({ type: 'show', id: source.id, on: source.video });
    if (source.audioTrack) {
      this.#audio.set(source.id, source.audioTrack, source.remote);
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
      if (source.audioTrack) this.#audio.set(source.id, source.audioTrack, source.remote);
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
    while (unsettled() && pageNow() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    return !unsettled();
  }

  /** Resolves when every tick so far has been reported. */
  async flush() {
    const worker = this.#worker;
    if (!worker) return;
    const flushed = new Promise((resolve) => {
      const once = (/** @type {MessageEvent<FromVideoWorker>} */ { data }) => {
        if (data.type !== 'flushed') return;
        worker.removeEventListener('message', once);
        resolve(undefined);
      };
      worker.addEventListener('message', once);
    });
    this.#post({ type: 'flush' });
    await within(flushed, 5000, () => 'The mixer did not answer within 5 s.');
  }

  async close() {
    clearInterval(this.#timer);
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
        this.dispatchEvent(new CustomEvent('ticks', { detail: message }));
        break;
      case 'layout': {
        const tiles = message.tiles.map(({ id, ...rect }) => ({ participant: this.#name(id), ...rect }));
        this.#event({ time: message.time, event: 'layout', tiles });
        break;
      }
      case 'picture':
        this.#event({
          time: message.time,
          event: 'picture',
          participant: this.#name(message.id),
          on: message.on,
        });
        break;
      case 'delay': {
        const entry = this.#entries.get(message.id);
        if (!entry) break;
        entry.delay = message.delay;
        this.#align(entry);
        break;
      }
      case 'failed':
        this.dispatchEvent(
          new CustomEvent('failed', { detail: recordingError(`The mixer failed: ${message.message}.`) }),
        );
        break;
      default:
    }
  }

  async #readSkews() {
    for (const entry of this.#entries.values()) {
      const skew = entry.remote ? await entry.skew() : 0;
      if (skew === null) continue;
      entry.skews.push(skew);
      if (entry.skews.length > SKEWS) entry.skews.shift();
      this.#align(entry);
    }
  }

  /** Delays the sound as the picture is delayed, less what WebRTC let the sound come late. @param {Entry} entry */
  #align({ id, delay, skews }) {
    const sorted = skews.toSorted((a, b) => a - b);
    this.#audio.setDelay(id, delay, sorted[sorted.length >> 1] ?? 0);
  }

  /** @param {string} name @param {boolean} on */
  #sound(name, on) {
    this.#event({ time: pageNow(), event: 'sound', participant: name, on });
  }

  /** @param {RoomEvent} event */
  #event(event) {
    this.dispatchEvent(new CustomEvent('event', { detail: event }));
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

/** The track's frames as a stream that a worker can take over. @param {MediaStreamTrack | null} track */
function frames(track) {
  if (!track || track.readyState === 'ended') return null;
  return new MediaStreamTrackProcessor({
    track: /** @type {MediaStreamVideoTrack} */ (track),
    maxBufferSize: 8,
  }).readable;
}
