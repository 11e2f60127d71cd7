/** ApplicationMedia: the tracks that an application sends. */

import { invalidState } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { extraTracksOf, labeledTracks, markersOf, slotsOf } from './owners.js';
import { Examiner } from './examiner.js';
import { videoSizeOf } from '../webrtc/tracks.js';
import { VirtualDevices } from './virtual-devices.js';

/**
 * A track that is sent over one connection. The same track can be sent over several connections.
 *
 * @implements {CallTrack}
 */
class SentTrack {
  hasMedia = true;
  stream = '-';

  /** @param {RTCPeerConnection} connection @param {ExaminedTrack} examined @param {number} place */
  constructor(connection, examined, place) {
    this.connection = connection;
    this.source = examined;
    this.place = place;
  }

  get kind() {
    return this.source.kind;
  }

  get track() {
    return this.source.track;
  }

  get marker() {
    return this.source.marker;
  }

  get examined() {
    return this.source.examined;
  }
}

/**
 * Emits `changed` when the application sends different tracks or switches its tracks on or off. Only the application
 * itself can switch its tracks on or off.
 *
 * @implements {LocalMedia}
 * @extends {Emitter<{changed: void}>}
 */
export class ApplicationMedia extends Emitter {
  kind = /** @type {const} */ ('application');
  /** The camera and the microphone: at most one video and one audio track. */
  stream = new MediaStream();
  /** @type {import('./owners.js').Slots} */
  #slots = { camera: null, microphone: null, extras: [] };
  /** What is known about each track that is sent. @type {Map<MediaStreamTrack, ExaminedTrack>} */
  #examined = new Map();
  #examiner = new Examiner(() => false);
  #hooks;
  #source;
  #devices;
  #onSending = () => this.#updateTracks();

  /**
   * @param {ApplicationHooks} hooks
   * @param {DeviceSource | null} source the media for the application's virtual camera and microphone; null if the
   * application uses its own devices
   */
  constructor(hooks, source) {
    super();
    this.#hooks = hooks;
    this.#source = source;
    this.#devices = source && new VirtualDevices(source, hooks.answers);
    hooks.camera = this.#devices;
    hooks.addEventListener('sending', this.#onSending);
    this.#examiner.listen('changed', this.#onSending);
    this.#updateTracks();
  }

  get markers() {
    return markersOf(this.#slots.camera, this.#slots.microphone);
  }

  get extras() {
    return extraTracksOf(this.#slots);
  }

  /** @param {string | null} label */
  mayRest(label) {
    const { video, audio } = labeledTracks(this.#slots, label);
    return { video: video?.marker === null, audio: audio?.marker === null };
  }

  get counterZero() {
    return this.#source?.counterZero ?? null;
  }

  get size() {
    return videoSizeOf(this.stream);
  }

  /** Returns whether a track of this kind is sent and enabled. @param {'audio' | 'video'} kind */
  sends(kind) {
    return this.stream.getTracks().some((track) => track.kind === kind && track.enabled);
  }

  /** @param {number} offset */
  setClock(offset) {
    this.#source?.setClock(offset);
  }

  fit() {
    // The application chooses the size of its video.
  }

  /** @returns {Promise<MediaStreamTrack>} */
  share() {
    return Promise.reject(belongsToApplication());
  }

  /** @returns {Promise<MediaStreamTrack>} */
  replace() {
    return Promise.reject(belongsToApplication());
  }

  /** @param {'audio' | 'video'} kind */
  unplug(kind) {
    this.#ourDevices().unplug(kind);
  }

  /** @param {'audio' | 'video'} kind */
  plugIn(kind) {
    this.#ourDevices().plugIn(kind);
  }

  /** @param {boolean} on */
  setSpeaking(on) {
    if (!this.#source) throw invalidState('setSpeaking is available only for synthetic participants.');
    this.#source.setSpeaking(on);
  }

  async close() {
    this.#hooks.removeEventListener('sending', this.#onSending);
    this.#hooks.camera = null;
    this.#examiner.close();
    await this.#source?.close();
  }

  #ourDevices() {
    if (!this.#devices) throw ownDevices();
    return this.#devices;
  }

  #updateTracks() {
    const sent = [...this.#hooks.connections].flatMap((connection) => this.#sentOver(connection));
    const tracks = new Set(sent.map(({ track }) => track));
    for (const [track, examined] of this.#examined) {
      if (tracks.has(track)) continue;
      this.#examined.delete(track);
      this.#examiner.remove(examined);
    }
    this.#slots = slotsOf(sent, { keepOldest: true });
    for (const [kind, slot] of /** @type {const} */ ([
      ['video', this.#slots.camera],
      ['audio', this.#slots.microphone],
    ])) {
      const before = this.stream.getTracks().find((track) => track.kind === kind);
      const now = slot?.track;
      if (before === now) continue;
      if (before) this.stream.removeTrack(before);
      if (now) this.stream.addTrack(now);
    }
    this.emit('changed');
  }

  /** @param {RTCPeerConnection} connection */
  #sentOver(connection) {
    /** @type {SentTrack[]} */
    const sent = [];
    for (const { track } of connection.getSenders()) {
      if (track?.readyState !== 'live' || sent.some((one) => one.track === track)) continue;
      const place = sent.filter(({ kind }) => kind === track.kind).length;
      sent.push(new SentTrack(connection, this.#examine(track), place));
    }
    return sent;
  }

  /**
   * Starts examining a track for a marker, unless the track is already being examined.
   *
   * @param {MediaStreamTrack} track
   */
  #examine(track) {
    const known = this.#examined.get(track);
    if (known) return known;
    const kind = /** @type {'audio' | 'video'} */ (track.kind);
    /** @type {ExaminedTrack} */
    const examined = { kind, track, marker: null, examined: false };
    this.#examined.set(track, examined);
    this.#examiner.add(examined);
    return examined;
  }
}

const belongsToApplication = () =>
  invalidState('The application controls screen sharing; start or stop sharing in the application.');
const ownDevices = () =>
  invalidState(
    "The application uses the browser's own devices, which the harness can't unplug or replace. " +
      'Attach the page with media="synthetic" or a video file.',
  );
