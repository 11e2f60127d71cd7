/** RemoteTracks: all tracks that an application receives over its peer connections. */

import { Emitter } from '../shared/events.js';
import { receives } from '../webrtc/connections.js';
import { arrivalsOf } from '../webrtc/statistics.js';
import { MutedPlayback, statisticsOf } from '../webrtc/tracks.js';

/** How often to search for tracks that ended without an event, in ms. */
const CHECK_EVERY = 250;
/**
 * How long a connection may be disconnected before its tracks count as ended, in ms. WebRTC takes about 6 s to notice a
 * disconnect.
 */
export const DISCONNECTED_FOR = 4000;
/** How long a new track's media may take to arrive, in ms. After this time, the track counts as switched off. */
const ARRIVES_WITHIN = 1500;
/**
 * How often to check whether anything arrives on a connection, and how long a working connection may receive nothing,
 * in ms. On an idle connection, ICE still sends checks every 2.5 s.
 */
const STATISTICS_EVERY = 1000;
const ALIVE_FOR = 4500;

/**
 * One received track, with what is known about it.
 *
 * @implements {CallTrack}
 */
export class RemoteTrack {
  /** @type {number | null} */
  marker = null;
  examined = false;
  /** @type {MutedPlayback | null} */
  #playback = null;
  #hasMedia = false;
  /** When the track was added or its connection was established, whichever was later, on the page's clock. */
  #since = performance.now();

  /**
   * @param {RTCPeerConnection} connection
   * @param {RTCRtpReceiver} receiver
   * @param {string} stream
   * @param {number} place
   * @param {ReadableStream<VideoFrame>} [frames]
   */
  constructor(connection, receiver, stream, place, frames) {
    this.frames = frames;
    this.connection = connection;
    this.receiver = receiver;
    this.stream = stream;
    this.place = place;
    this.kind = /** @type {'audio' | 'video'} */ (receiver.track.kind);
    if (this.kind !== 'audio') return;
    this.#playback = new MutedPlayback();
    this.#playback.play(receiver.track);
  }

  get track() {
    return this.receiver.track;
  }

  /** Whether anything has arrived on the track so far. Chrome keeps a track muted until its first packet arrives. */
  get hasMedia() {
    this.#hasMedia ||= !this.track.muted;
    return this.#hasMedia;
  }

  /** Whether the track's first media is expected soon. */
  get isArriving() {
    if (this.hasMedia) return false;
    return (
      this.connection.connectionState !== 'connected' || performance.now() - this.#since < ARRIVES_WITHIN
    );
  }

  /** Notes that the track's connection has been established. */
  onConnected() {
    this.#since = performance.now();
  }

  resumePlayback() {
    this.#playback?.resumePlayback();
  }

  close() {
    this.#playback?.close();
    this.#playback = null;
  }
}

/**
 * @typedef {object} RemoteTrackEvents
 * @property {RemoteTrack} added
 * @property {RemoteTrack} removed
 * @property {void} changed a track was muted or unmuted
 * @property {RTCPeerConnection} disconnected
 * @property {RTCPeerConnection} reconnected
 */

/** @extends {Emitter<RemoteTrackEvents>} */
export class RemoteTracks extends Emitter {
  /** The tracks of each connection, in the order of their arrival. @type {Map<RTCPeerConnection, RemoteTrack[]>} */
  #tracks = new Map();
  /** When each disconnected connection was lost, on the page's clock. @type {Map<RTCPeerConnection, number>} */
  #disconnectedAt = new Map();
  /**
   * How much has arrived on each connection, and when this amount last grew.
   *
   * @type {Map<RTCPeerConnection, {count: number, at: number}>}
   */
  #arrived = new Map();
  #closed = new AbortController();
  #hooks;
  /** @type {ReturnType<typeof setInterval>[]} */
  #timers;

  /** @param {ApplicationHooks} hooks */
  constructor(hooks) {
    super();
    this.#hooks = hooks;
    for (const connection of hooks.connections) this.#follow(connection);
    hooks.listen('connection', (connection) => this.#follow(connection));
    hooks.listen('closed', (connection) => this.#removeAll(connection));
    this.#timers = [
      setInterval(() => this.#check(), CHECK_EVERY),
      setInterval(() => void this.#readArrivals(), STATISTICS_EVERY),
    ];
  }

  /** All tracks that are received, or may be received soon. */
  get all() {
    return [...this.#tracks.values()].flat();
  }

  /** Returns WebRTC's statistics for these tracks. @param {RemoteTrack[]} tracks */
  static stats(tracks) {
    return statisticsOf(tracks.map(({ receiver }) => receiver));
  }

  /** Whether anything has arrived on a connection in the last few seconds. @param {RTCPeerConnection} connection */
  isAlive(connection) {
    const at = this.#arrived.get(connection)?.at ?? performance.now();
    return connection.connectionState === 'connected' && performance.now() - at < ALIVE_FOR;
  }

  close() {
    for (const timer of this.#timers) clearInterval(timer);
    this.#closed.abort();
    for (const track of this.all) track.close();
    this.#tracks.clear();
  }

  /** @param {RTCPeerConnection} connection */
  #follow(connection) {
    if (this.#closed.signal.aborted || this.#tracks.has(connection)) return;
    const { signal } = this.#closed;
    this.#tracks.set(connection, []);
    connection.addEventListener(
      'track',
      ({ receiver, streams }) => this.#onTrack(connection, receiver, streams),
      { signal },
    );
    connection.addEventListener('connectionstatechange', () => this.#onState(connection), { signal });
    this.#findLate(connection);
  }

  /**
   * Finds tracks that were announced before we started listening, and tracks whose reception has restarted.
   *
   * @param {RTCPeerConnection} connection
   */
  #findLate(connection) {
    if (BROKEN.has(connection.connectionState)) return;
    for (const { receiver, currentDirection } of connection.getTransceivers()) {
      const streams = this.#hooks.streams.get(receiver);
      const isReceiving = receives(currentDirection) && receiver.track.readyState === 'live';
      if (streams && isReceiving) this.#onTrack(connection, receiver, streams);
    }
  }

  /**
   * @param {RTCPeerConnection} connection
   * @param {RTCRtpReceiver} receiver
   * @param {readonly MediaStream[]} streams
   */
  #onTrack(connection, receiver, streams) {
    const tracks = this.#tracks.get(connection);
    if (!tracks) return;
    const stream = keyOf(streams[0]?.id);
    const known = tracks.find((one) => one.receiver === receiver);
    if (known?.stream === stream) return;
    // A server may reuse a transceiver for another participant.
    if (known) this.#remove(known);
    const { kind } = receiver.track;
    const taken = tracks
      .filter((one) => one.kind === kind && one.stream === stream)
      .map(({ place }) => place);
    const place = [...taken.keys(), taken.length].find((number) => !taken.includes(number)) ?? 0;
    const track = new RemoteTrack(connection, receiver, stream, place, this.#hooks.frames.get(receiver));
    tracks.push(track);
    for (const type of ['mute', 'unmute'])
      receiver.track.addEventListener(type, () => this.emit('changed'), { signal: this.#closed.signal });
    this.emit('added', track);
  }

  /**
   * Finds changes for which there is no event: tracks that ended, transceivers that no longer receive, and connections
   * that stay disconnected.
   */
  #check() {
    for (const [connection, tracks] of this.#tracks) {
      if (performance.now() - (this.#disconnectedAt.get(connection) ?? Infinity) > DISCONNECTED_FOR) {
        this.#removeAll(connection);
        continue;
      }
      // Between an offer and its answer, a track that is about to resume still looks as if it had ended.
      if (connection.signalingState !== 'stable') continue;
      const transceivers = connection.getTransceivers();
      for (const track of [...tracks]) {
        const transceiver = transceivers.find(({ receiver }) => receiver === track.receiver);
        const over = transceiver !== undefined && isOver(transceiver);
        if (over || track.track.readyState !== 'live') this.#remove(track);
      }
      this.#findLate(connection);
    }
  }

  async #readArrivals() {
    for (const [connection, tracks] of this.#tracks) {
      if (!tracks.length || connection.signalingState === 'closed') continue;
      const count = arrivalsOf(await connection.getStats());
      if (count !== this.#arrived.get(connection)?.count)
        this.#arrived.set(connection, { count, at: performance.now() });
    }
  }

  /** @param {RTCPeerConnection} connection */
  #onState(connection) {
    const { connectionState } = connection;
    if (connectionState === 'failed' || connectionState === 'closed') this.#removeAll(connection);
    if (connectionState === 'connected')
      for (const track of this.#tracks.get(connection) ?? []) track.onConnected();
    const broken = connectionState === 'disconnected';
    if (broken === this.#disconnectedAt.has(connection)) return;
    if (broken) this.#disconnectedAt.set(connection, performance.now());
    else this.#disconnectedAt.delete(connection);
    this.emit(broken ? 'disconnected' : 'reconnected', connection);
  }

  /** @param {RTCPeerConnection} connection */
  #removeAll(connection) {
    this.#disconnectedAt.delete(connection);
    for (const track of [...(this.#tracks.get(connection) ?? [])]) this.#remove(track);
    // The application can restore a failed connection with an ICE restart, but not a closed one.
    if (connection.signalingState !== 'closed') return;
    this.#tracks.delete(connection);
    this.#arrived.delete(connection);
  }

  /** @param {RemoteTrack} track */
  #remove(track) {
    const tracks = this.#tracks.get(track.connection);
    const index = tracks?.indexOf(track) ?? -1;
    if (index < 0) return;
    tracks?.splice(index, 1);
    track.close();
    this.emit('removed', track);
  }
}

/** Connection states in which nothing is received. */
const BROKEN = new Set(['disconnected', 'failed', 'closed']);

/**
 * Returns whether a transceiver has stopped receiving. A transceiver has no current direction before the first answer,
 * but may already receive media.
 *
 * @param {RTCRtpTransceiver} transceiver
 */
const isOver = ({ currentDirection }) => currentDirection !== null && !receives(currentDirection);

/**
 * Returns a stream's key. In LiveKit, a stream's id has the form PARTICIPANT|TRACK, so the ids of a participant's
 * streams share a prefix. All tracks without a stream share one key.
 *
 * @param {string | undefined} stream
 */
const keyOf = (stream) => (stream ?? '-').split('|')[0] ?? '-';
