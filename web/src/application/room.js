/**
 * ApplicationRoom: another application's call, as seen by one of its pages.
 *
 * Input: the application's peer connections, which hooks.js and participants.js observe, and our own signaling, which
 * provides the attached participants' names and the room's clock. Output: CallRoomEvents. The client uses this class
 * through the interface CallRoom.
 */

import { invalidState, stepTimeout } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/pause.js';
import { isReceiving, selectStatistics, skewOf } from '../webrtc/statistics.js';
import { readMarker } from './identify.js';
import { RemoteParticipants } from './participants.js';

/** How often to check the statistics for a participant's first frame and audio, in ms. */
const CHECK_EVERY = 40;
const RECEIVED_WITHIN = 20_000;
/** How long to wait for a participant's video before the participant counts as unidentified, in ms. */
const UNIDENTIFIED_AFTER = 3000;

/** @typedef {import('./participants.js').RemoteParticipant} RemoteParticipant */

/**
 * Another participant in the call, either identified by a marker or named "unidentified N".
 *
 * @implements {CallParticipant}
 */
class IdentifiedParticipant {
  received = false;

  /** @param {MemberInfo} info @param {RemoteParticipant} remote */
  constructor(info, remote) {
    this.info = info;
    this.remote = remote;
  }

  get id() {
    return this.info.id;
  }

  get name() {
    return this.info.name;
  }

  get videoTrack() {
    return this.remote.track('video');
  }

  get audioTrack() {
    return this.remote.track('audio');
  }
}

/**
 * Emits CallRoomEvents.
 *
 * @extends {Emitter<CallRoomEvents>}
 * @implements {CallRoom}
 */
export class ApplicationRoom extends Emitter {
  /**
   * Always false, since the page itself reports the joins and leaves that it observes in the call. The server knows
   * which participants have opened the application's page, but not which of them are in the call.
   */
  presenceFromServer = false;
  /** @type {Map<string, IdentifiedParticipant>} */
  participants = new Map();
  id = '';
  name = '';
  marker = 0;
  spoolToken = '';
  recordings = null;
  /**
   * The attached participants, by id. Each attached participant has a different marker.
   *
   * @type {Map<string, MemberInfo>}
   */
  #attached = new Map();
  /** @type {Map<RemoteParticipant, IdentifiedParticipant>} */
  #identified = new Map();
  /** The participants whose markers are being read. @type {Map<RemoteParticipant, AbortController>} */
  #identifying = new Map();
  #unidentified = 0;
  #signaling;
  #hooks;
  /** @type {RemoteParticipants | null} */
  #remote = null;

  /**
   * @param {import('../room/signaling.js').Signaling} signaling
   * @param {ApplicationHooks} hooks
   */
  constructor(signaling, hooks) {
    super();
    this.#signaling = signaling;
    this.#hooks = hooks;
    signaling.listen('message', (message) => this.#handle(message));
    for (const type of /** @type {const} */ (['clock', 'lost', 'resumed', 'closed']))
      signaling.listen(type, () => this.emit(type));
  }

  get clock() {
    return this.#signaling.clock;
  }

  /** @param {Omit<Extract<ToServer, { type: 'hello' }>, 'type'>} hello */
  async join(hello) {
    const welcome = await this.#signaling.open(hello);
    this.id = welcome.id;
    this.name = welcome.name;
    this.marker = welcome.marker;
    this.spoolToken = welcome.spool_token;
    for (const info of welcome.members) this.#attached.set(info.id, info);
    const remote = new RemoteParticipants(this.#hooks);
    this.#remote = remote;
    remote.listen('joined', (one) => void this.#admit(one));
    remote.listen('changed', (one) => this.#onTracksChanged(one));
    remote.listen('left', (one) => this.#onLeft(one));
    remote.listen('disconnected', (one) => this.#emitOf('disconnected', one));
    remote.listen('reconnected', (one) => this.#emitOf('reconnected', one));
    for (const one of remote.all) void this.#admit(one);
  }

  /** Does nothing, since the application publishes its own tracks. */
  publish() {
    return Promise.resolve();
  }

  subscribe() {
    // The application chooses the participants that it subscribes to.
  }

  requestedSize() {
    return null;
  }

  replaceTrack() {
    return Promise.resolve();
  }

  refit() {
    return Promise.resolve();
  }

  /** Throws if the page is not in a call, since a recording would be empty. */
  checkRecordable() {
    if (this.#hooks.connections.size > 0) return;
    throw invalidState(
      'This page is not in a call: it has no WebRTC connection yet. Join a call before recording.',
    );
  }

  /**
   * Resolves when all participants in the call have been identified and we have received their first frame and audio;
   * fails with a StepTimeout that names the missing participants.
   */
  async allReceived() {
    const end = performance.now() + RECEIVED_WITHIN;
    for (;;) {
      const late = [...this.participants.values()].filter(({ received }) => !received);
      if (late.length + this.#identifying.size === 0) return;
      if (performance.now() > end) {
        const names = late.map(({ name }) => name).join(', ');
        const missing = names || `${this.#identifying.size} participants not yet identified`;
        throw stepTimeout(`No video or audio from ${missing} arrived within 20 s.`);
      }
      await pause(CHECK_EVERY);
    }
  }

  /**
   * Returns a join event for each participant in the recording. The page creates these join events, since the server
   * doesn't know who is in the call.
   *
   * @param {RecorderKind} recorder
   */
  presence(recorder) {
    const others = recorder === 'all' ? [...this.participants.values()] : [];
    return [this, ...others].map(({ name }) => presenceOf('join', name));
  }

  /** @param {{audio: boolean, video: boolean, screen: boolean}} state */
  announce(state) {
    // Announce when we hang up, since the other participants' connections may take a long time to notice, and the
    // application's server may not report it.
    this.#signaling.send({ type: 'state', ...state, connected: this.#hooks.connections.size > 0 });
  }

  /** @param {string} id */
  async skew(id) {
    const stats = await this.participants.get(id)?.remote.stats();
    return stats ? skewOf(stats) : null;
  }

  /** @param {string} id */
  resumePlayback(id) {
    this.participants.get(id)?.remote.resumePlayback();
  }

  /** Returns WebRTC's statistics for each connection to another participant. */
  async statistics() {
    const found = await Promise.all(
      [...this.participants.values()].map(async ({ name, remote }) => ({
        participant: name,
        report: selectStatistics(await remote.stats()),
      })),
    );
    return found.filter(({ report }) => report.length);
  }

  leave() {
    this.#signaling.send({ type: 'bye' });
    this.#signaling.close();
    for (const identifying of this.#identifying.values()) identifying.abort();
    this.#remote?.close();
    this.#remote = null;
    this.participants.clear();
    this.#identified.clear();
  }

  /** @param {FromServer} message */
  #handle(message) {
    switch (message.type) {
      case 'joined':
        this.#attached.set(message.member.id, message.member);
        break;
      case 'left': {
        this.#attached.delete(message.id);
        const participant = this.participants.get(message.id);
        if (participant) this.#onLeft(participant.remote);
        break;
      }
      case 'state': {
        const info = this.#attached.get(message.id);
        const { audio, video, screen, connected } = message;
        if (info) Object.assign(info, { audio, video, screen });
        const participant = this.participants.get(message.id);
        if (participant && !connected) this.#onLeft(participant.remote);
        else if (participant) this.emit('state', participant);
        break;
      }
      default:
    }
  }

  /** Identifies a participant and adds them to the room. @param {RemoteParticipant} remote */
  async #admit(remote) {
    if (this.#identifying.has(remote) || this.#identified.has(remote)) return;
    const identifying = new AbortController();
    this.#identifying.set(remote, identifying);
    try {
      const info = await this.#identify(remote, identifying.signal);
      if (!identifying.signal.aborted) this.#add(info, remote);
    } finally {
      this.#identifying.delete(remote);
    }
  }

  /** @param {RemoteParticipant} remote @param {AbortSignal} signal @returns {Promise<MemberInfo>} */
  async #identify(remote, signal) {
    const since = performance.now();
    for (;;) {
      // An ended track delivers no more frames and will soon be removed.
      const track = remote.track('video')?.readyState === 'live' ? remote.track('video') : null;
      const marker = track ? await readMarker(track, signal, () => this.#isSomebodyMissing()) : null;
      const known = [...this.#attached.values()].find((info) => info.marker === marker && marker !== null);
      if (known && !this.participants.has(known.id)) return known;
      if (track || signal.aborted || performance.now() - since > UNIDENTIFIED_AFTER)
        return this.#nameUnidentified();
      await pause(CHECK_EVERY);
    }
  }

  /** Returns whether any attached participant has not joined the call yet. */
  #isSomebodyMissing() {
    return [...this.#attached.keys()].some((id) => !this.participants.has(id));
  }

  /** @returns {MemberInfo} */
  #nameUnidentified() {
    this.#unidentified += 1;
    const name = `unidentified ${this.#unidentified}`;
    return { id: name, name, marker: null, audio: true, video: true, screen: false, subscriptions: null };
  }

  /** @param {MemberInfo} info @param {RemoteParticipant} remote */
  #add(info, remote) {
    const participant = new IdentifiedParticipant(info, remote);
    this.participants.set(info.id, participant);
    this.#identified.set(remote, participant);
    this.emit('presence', presenceOf('join', participant.name));
    this.emit('joined', participant);
    void this.#watchArrival(participant);
  }

  /** Waits for a participant's first frame and audio. @param {IdentifiedParticipant} participant */
  async #watchArrival(participant) {
    while (!participant.received && this.participants.get(participant.id) === participant) {
      const { info, audioTrack, videoTrack, remote } = participant;
      const expected = { audio: info.audio && audioTrack !== null, video: info.video && videoTrack !== null };
      participant.received = isReceiving(await remote.stats(), expected);
      await pause(CHECK_EVERY);
    }
  }

  /** @param {RemoteParticipant} remote */
  #onTracksChanged(remote) {
    // When a participant hangs up and returns, a new track replaces the old one.
    if (this.#identified.has(remote)) this.#emitOf('track', remote);
    else void this.#admit(remote);
  }

  /** @param {RemoteParticipant} remote */
  #onLeft(remote) {
    this.#identifying.get(remote)?.abort();
    const participant = this.#identified.get(remote);
    if (!participant) return;
    this.#identified.delete(remote);
    this.participants.delete(participant.id);
    this.emit('presence', presenceOf('leave', participant.name));
    this.emit('left', participant);
  }

  /** @param {'track' | 'disconnected' | 'reconnected'} type @param {RemoteParticipant} remote */
  #emitOf(type, remote) {
    const participant = this.#identified.get(remote);
    if (participant) this.emit(type, participant);
  }
}

/** @param {'join' | 'leave'} event @param {string} participant @returns {PresenceEntry} */
const presenceOf = (event, participant) => ({ event, participant });
