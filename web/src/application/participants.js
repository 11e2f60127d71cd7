/** RemoteParticipants: the tracks that an application receives over its peer connections, grouped by participant. */

import { Emitter } from '../shared/events.js';
import { MutedPlayback, statisticsOf } from '../webrtc/tracks.js';

/** How often to search for tracks that ended without an event, in ms. */
const CHECK_EVERY = 250;
/**
 * How long a connection may be disconnected before its participants count as having left, in ms. WebRTC takes about 6 s
 * to notice a disconnect.
 */
const DISCONNECTED_FOR = 4000;

/** One participant's tracks: the tracks of one stream on one connection. */
export class RemoteParticipant {
  /** @type {Map<'audio' | 'video', RTCRtpReceiver>} */
  receivers = new Map();
  /** @type {MutedPlayback | null} */
  #playback = null;

  /** @param {RTCPeerConnection} connection @param {string} key unique for each stream of the connection */
  constructor(connection, key) {
    this.connection = connection;
    this.key = key;
  }

  /** @param {'audio' | 'video'} kind */
  track(kind) {
    return this.receivers.get(kind)?.track ?? null;
  }

  /** @param {RTCRtpReceiver} receiver */
  addReceiver(receiver) {
    const kind = /** @type {'audio' | 'video'} */ (receiver.track.kind);
    this.receivers.set(kind, receiver);
    if (kind !== 'audio') return;
    this.#playback?.close();
    this.#playback = new MutedPlayback();
    this.#playback.play(receiver.track);
  }

  /** @param {'audio' | 'video'} kind */
  removeReceiver(kind) {
    this.receivers.delete(kind);
    if (kind === 'audio') this.close();
  }

  resumePlayback() {
    this.#playback?.resumePlayback();
  }

  /** Returns WebRTC's statistics for these tracks. */
  stats() {
    return statisticsOf([...this.receivers.values()]);
  }

  close() {
    this.#playback?.close();
    this.#playback = null;
  }
}

/**
 * @typedef {object} ParticipantEvents
 * @property {RemoteParticipant} joined
 * @property {RemoteParticipant} changed the participant's tracks have changed
 * @property {RemoteParticipant} left
 * @property {RemoteParticipant} disconnected
 * @property {RemoteParticipant} reconnected
 */

/** @extends {Emitter<ParticipantEvents>} */
export class RemoteParticipants extends Emitter {
  /**
   * The participants of each connection, indexed by the key of the participant's stream.
   *
   * @type {Map<RTCPeerConnection, Map<string, RemoteParticipant>>}
   */
  #participants = new Map();
  /** The page clock's time at which each disconnected connection was lost. @type {Map<RTCPeerConnection, number>} */
  #disconnectedAt = new Map();
  #hooks;
  #timer;

  /** @param {ApplicationHooks} hooks */
  constructor(hooks) {
    super();
    this.#hooks = hooks;
    for (const connection of hooks.connections) this.#follow(connection);
    hooks.listen('connection', (connection) => this.#follow(connection));
    hooks.listen('closed', (connection) => this.#removeAll(connection));
    this.#timer = setInterval(() => this.#check(), CHECK_EVERY);
  }

  /** All participants who are in the call. */
  get all() {
    return [...this.#participants.values()].flatMap((ofOne) => [...ofOne.values()]);
  }

  close() {
    clearInterval(this.#timer);
    for (const participant of this.all) participant.close();
    this.#participants.clear();
  }

  /** @param {RTCPeerConnection} connection */
  #follow(connection) {
    this.#participants.set(connection, new Map());
    connection.addEventListener('track', ({ receiver, streams }) =>
      this.#onTrack(connection, receiver, streams),
    );
    connection.addEventListener('connectionstatechange', () => this.#onState(connection));
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
   * Assigns a track to a participant. Usually, each stream belongs to one participant. However, a shared screen may be
   * a second video track in a participant's stream, and some servers put all participants' tracks into one stream.
   *
   * @param {RTCPeerConnection} connection
   * @param {RTCRtpReceiver} receiver
   * @param {readonly MediaStream[]} streams
   */
  #onTrack(connection, receiver, streams) {
    const participants = this.#participants.get(connection);
    if (!participants) return;
    const kind = /** @type {'audio' | 'video'} */ (receiver.track.kind);
    const stream = keyOf(streams[0]?.id);
    const ofStream = [...participants.values()].filter(
      ({ key }) => key === stream || key.startsWith(`${stream} with `),
    );
    if (ofStream.some((participant) => participant.track(kind) === receiver.track)) return;
    const known = ofStream.find((participant) => !this.#hasTrack(participant, kind));
    const key = ofStream.length ? `${stream} with ${receiver.track.id}` : stream;
    const participant = known ?? new RemoteParticipant(connection, key);
    participant.addReceiver(receiver);
    participants.set(participant.key, participant);
    this.emit(known ? 'changed' : 'joined', participant);
  }

  /**
   * Returns whether a participant has a live track of the given kind that is received or may still be received.
   *
   * @param {RemoteParticipant} participant
   * @param {'audio' | 'video'} kind
   */
  #hasTrack({ connection, receivers }, kind) {
    const receiver = receivers.get(kind);
    if (receiver?.track.readyState !== 'live') return false;
    const transceiver = connection.getTransceivers().find((one) => one.receiver === receiver);
    return transceiver !== undefined && !isOver(transceiver);
  }

  /**
   * Finds changes for which there is no event: tracks that ended, transceivers that no longer receive, and connections
   * that stay disconnected.
   */
  #check() {
    for (const [connection, participants] of this.#participants) {
      if (performance.now() - (this.#disconnectedAt.get(connection) ?? Infinity) > DISCONNECTED_FOR) {
        this.#removeAll(connection);
        continue;
      }
      // Between an offer and its answer, a track that is about to resume still looks as if it had ended.
      if (connection.signalingState !== 'stable') continue;
      for (const participant of participants.values()) this.#checkTracks(participant, participants);
      this.#findLate(connection);
    }
  }

  /** @param {RemoteParticipant} participant @param {Map<string, RemoteParticipant>} participants */
  #checkTracks(participant, participants) {
    const transceivers = participant.connection.getTransceivers();
    for (const [kind, receiver] of participant.receivers) {
      const transceiver = transceivers.find((one) => one.receiver === receiver);
      const over = transceiver !== undefined && isOver(transceiver);
      if (receiver.track.readyState === 'live' && !over) continue;
      participant.removeReceiver(kind);
      this.emit('changed', participant);
    }
    if (participant.receivers.size === 0) this.#remove(participant, participants);
  }

  /** @param {RTCPeerConnection} connection */
  #onState(connection) {
    const { connectionState } = connection;
    if (connectionState === 'failed' || connectionState === 'closed') this.#removeAll(connection);
    const broken = connectionState === 'disconnected';
    if (broken === this.#disconnectedAt.has(connection)) return;
    if (broken) this.#disconnectedAt.set(connection, performance.now());
    else this.#disconnectedAt.delete(connection);
    for (const participant of this.#participants.get(connection)?.values() ?? [])
      this.emit(broken ? 'disconnected' : 'reconnected', participant);
  }

  /** @param {RTCPeerConnection} connection */
  #removeAll(connection) {
    const participants = this.#participants.get(connection);
    this.#disconnectedAt.delete(connection);
    for (const participant of participants?.values() ?? []) this.#remove(participant, participants);
    // The application can restore a failed connection with an ICE restart, but not a closed one.
    if (connection.signalingState === 'closed') this.#participants.delete(connection);
  }

  /** @param {RemoteParticipant} participant @param {Map<string, RemoteParticipant> | undefined} participants */
  #remove(participant, participants) {
    if (!participants?.delete(participant.key)) return;
    participant.close();
    this.emit('left', participant);
  }
}

/** Connection states in which nothing is received. */
const BROKEN = new Set(['disconnected', 'failed', 'closed']);

/** @param {RTCRtpTransceiverDirection | null} direction */
const receives = (direction) => direction === 'recvonly' || direction === 'sendrecv';

/**
 * Returns whether a transceiver has stopped receiving. A transceiver has no current direction before the first answer,
 * but may already receive media.
 *
 * @param {RTCRtpTransceiver} transceiver
 */
const isOver = ({ currentDirection }) => currentDirection !== null && !receives(currentDirection);

/**
 * Returns a stream's key. In LiveKit, the ids of a participant's streams share a prefix: PARTICIPANT|TRACK. All tracks
 * without a stream share one key.
 *
 * @param {string | undefined} stream
 */
const keyOf = (stream) => (stream ?? '-').split('|')[0] ?? '-';
