/** People: whoever is at the other end of an application's own peer connections, put together from their tracks. */

import { Emitter } from '../shared/events.js';
import { Playing, statisticsOf } from '../webrtc/tracks.js';

/** How often tracks that went without a word are looked for, in ms. */
const LOOK_EVERY = 250;
/** How long a connection may be cut before its people have gone, in ms; it takes WebRTC some 6 s to notice. */
const CUT_FOR = 4000;

/** Somebody's tracks that belong together: one stream of one connection. */
export class Person {
  /** @type {Map<'audio' | 'video', RTCRtpReceiver>} */
  receivers = new Map();
  /** @type {Playing | null} */
  #playing = null;

  /** @param {RTCPeerConnection} connection @param {string} key of the stream in the connection */
  constructor(connection, key) {
    this.connection = connection;
    this.key = key;
  }

  /** @param {'audio' | 'video'} kind */
  track(kind) {
    return this.receivers.get(kind)?.track ?? null;
  }

  /** @param {RTCRtpReceiver} receiver */
  take(receiver) {
    const kind = /** @type {'audio' | 'video'} */ (receiver.track.kind);
    this.receivers.set(kind, receiver);
    if (kind !== 'audio') return;
    this.#playing?.close();
    this.#playing = new Playing();
    this.#playing.play(receiver.track);
  }

  /** @param {'audio' | 'video'} kind */
  drop(kind) {
    this.receivers.delete(kind);
    if (kind === 'audio') this.close();
  }

  resumePlayback() {
    this.#playing?.resumePlayback();
  }

  /** What WebRTC says of their tracks. */
  stats() {
    return statisticsOf([...this.receivers.values()]);
  }

  close() {
    this.#playing?.close();
    this.#playing = null;
  }
}

/**
 * Emits `came`, `changed` and `gone` with a Person, `disconnected` and `reconnected` with those whose connection breaks and is back.
 *
 * @extends {Emitter<PeopleEvents>}
 */
export class People extends Emitter {
  /** @type {Map<RTCPeerConnection, Map<string, Person>>} */
  #people = new Map();
  /** When a connection was cut. @type {Map<RTCPeerConnection, number>} */
  #cut = new Map();
  #hooks;
  #timer;

  /** @param {AppHooks} hooks */
  constructor(hooks) {
    super();
    this.#hooks = hooks;
    for (const connection of hooks.connections) this.#follow(connection);
    hooks.listen('connection', (connection) => this.#follow(connection));
    hooks.listen('closed', (connection) => this.#forget(connection));
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
  }

  /** Everybody who is there. */
  get all() {
    return [...this.#people.values()].flatMap((people) => [...people.values()]);
  }

  close() {
    clearInterval(this.#timer);
    for (const person of this.all) person.close();
    this.#people.clear();
  }

  /** @param {RTCPeerConnection} connection */
  #follow(connection) {
    this.#people.set(connection, new Map());
    connection.addEventListener('track', ({ receiver, streams }) =>
      this.#onTrack(connection, receiver, streams),
    );
    connection.addEventListener('connectionstatechange', () => this.#onState(connection));
    this.#findLate(connection);
  }

  /** Takes what came before we did, and what is back after it had gone. @param {RTCPeerConnection} connection */
  #findLate(connection) {
    if (BROKEN.has(connection.connectionState)) return;
    for (const { receiver, currentDirection } of connection.getTransceivers()) {
      const streams = this.#hooks.streams.get(receiver);
      const comes = receives(currentDirection) && receiver.track.readyState === 'live';
      if (streams && comes) this.#onTrack(connection, receiver, streams);
    }
  }

  /**
   * One stream is one person; but a screen is a second picture in it, and a server may put everybody into one stream.
   *
   * @param {RTCPeerConnection} connection
   * @param {RTCRtpReceiver} receiver
   * @param {readonly MediaStream[]} streams
   */
  #onTrack(connection, receiver, streams) {
    const people = this.#people.get(connection);
    if (!people) return;
    const kind = /** @type {'audio' | 'video'} */ (receiver.track.kind);
    const stream = keyOf(streams[0]?.id);
    const theirs = [...people.values()].filter(
      ({ key }) => key === stream || key.startsWith(`${stream} beside `),
    );
    if (theirs.some((person) => person.track(kind) === receiver.track)) return;
    const known = theirs.find((person) => !this.#flows(person, kind));
    const key = theirs.length ? `${stream} beside ${receiver.track.id}` : stream;
    const person = known ?? new Person(connection, key);
    person.take(receiver);
    people.set(person.key, person);
    this.emit(known ? 'changed' : 'came', person);
  }

  /** Whether somebody has such a track, and it comes or may yet come. @param {Person} person @param {'audio' | 'video'} kind */
  #flows({ connection, receivers }, kind) {
    const receiver = receivers.get(kind);
    if (receiver?.track.readyState !== 'live') return false;
    const transceiver = connection.getTransceivers().find((one) => one.receiver === receiver);
    return transceiver !== undefined && !isOver(transceiver);
  }

  /** Finds what went without an event: tracks that ended, transceivers that receive no more, connections that stay cut. */
  #look() {
    for (const [connection, people] of this.#people) {
      if (performance.now() - (this.#cut.get(connection) ?? Infinity) > CUT_FOR) {
        this.#forget(connection);
        continue;
      }
      // Between offer and answer what comes again still looks as if it had gone.
      if (connection.signalingState !== 'stable') continue;
      const transceivers = connection.getTransceivers();
      for (const person of people.values()) {
        for (const [kind, receiver] of person.receivers) {
          const transceiver = transceivers.find((one) => one.receiver === receiver);
          const over = transceiver !== undefined && isOver(transceiver);
          if (receiver.track.readyState === 'live' && !over) continue;
          person.drop(kind);
          this.emit('changed', person);
        }
        if (person.receivers.size === 0) this.#go(people, person);
      }
      this.#findLate(connection);
    }
  }

  /** @param {RTCPeerConnection} connection */
  #onState(connection) {
    const { connectionState } = connection;
    if (connectionState === 'failed' || connectionState === 'closed') this.#forget(connection);
    const broken = connectionState === 'disconnected';
    if (broken === this.#cut.has(connection)) return;
    if (broken) this.#cut.set(connection, performance.now());
    else this.#cut.delete(connection);
    for (const person of this.#people.get(connection)?.values() ?? [])
      this.emit(broken ? 'disconnected' : 'reconnected', person);
  }

  /** @param {RTCPeerConnection} connection */
  #forget(connection) {
    const people = this.#people.get(connection);
    this.#cut.delete(connection);
    for (const person of people?.values() ?? []) this.#go(people, person);
    // One that failed may be mended by its application: ICE restarts.
    if (connection.signalingState === 'closed') this.#people.delete(connection);
  }

  /** @param {Map<string, Person> | undefined} people @param {Person} person */
  #go(people, person) {
    if (!people?.delete(person.key)) return;
    person.close();
    this.emit('gone', person);
  }
}

/** @typedef {{came: Person, changed: Person, gone: Person, disconnected: Person, reconnected: Person}} PeopleEvents */

/** States in which nothing comes. */
const BROKEN = new Set(['disconnected', 'failed', 'closed']);

/** @param {RTCRtpTransceiverDirection | null} direction */
const receives = (direction) => direction === 'recvonly' || direction === 'sendrecv';

/** Before the first answer there is no direction, and what is to come may come. @param {RTCRtpTransceiver} transceiver */
const isOver = ({ currentDirection }) => currentDirection !== null && !receives(currentDirection);

/**
 * Streams of one person begin alike in LiveKit: PARTICIPANT|TRACK. Without a stream everything is one person's.
 *
 * @param {string | undefined} stream
 */
const keyOf = (stream) => (stream ?? '-').split('|')[0] ?? '-';
