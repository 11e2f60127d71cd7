/**
 * ApplicationRoom: another application's call, as seen by one of its pages.
 *
 * Input: the application's peer connections, which hooks.js and participants.js observe, and our own signaling, which
 * provides the attached participants' names and the room's clock. Output: CallRoomEvents. The client uses this class
 * through the interface CallRoom.
 */

import { invalidState, stepTimeout } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/promises.js';
import { fingerprintOf } from '../webrtc/connections.js';
import { CallState } from './call-state.js';
import { Participants } from './participants.js';

/** How often to check whether the tracks of all participants have arrived and been examined, in ms. */
const CHECK_EVERY = 40;
/** How long a recording waits for the first connection before the recording fails to start, in ms. */
const CONNECTED_WITHIN = 20_000;
/** How long a recording waits for tracks whose connection or owner is not known yet, in ms. */
const DECIDED_WITHIN = 5000;
/** How often to check whether the page is in a call, in ms. */
const CALL_EVERY = 250;

/** @typedef {import('./participants.js').ApplicationParticipant} ApplicationParticipant */

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
  id = '';
  name = '';
  marker = 0;
  spoolToken = '';
  recordings = null;
  /**
   * The attached participants, by id. Each attached participant has a different marker.
   *
   * @type {Map<string, AttachedMember>}
   */
  #attached = new Map();
  /** @type {Participants | null} */
  #participants = null;
  #signaling;
  #hooks;
  #call;
  /** Why the page is not in a call, or null while it is in a call. @type {string | null} */
  #outOfCall = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {import('../room/signaling.js').Signaling} signaling
   * @param {ApplicationHooks} hooks
   */
  constructor(signaling, hooks) {
    super();
    this.#signaling = signaling;
    this.#hooks = hooks;
    this.#call = new CallState(hooks, (connection) => this.#hasLeft(connection));
    signaling.listen('message', (message) => this.#handle(message));
    for (const type of /** @type {const} */ (['clock', 'lost', 'resumed', 'closed']))
      signaling.listen(type, () => this.emit(type));
  }

  get clock() {
    return this.#signaling.clock;
  }

  /** @type {ReadonlyMap<string, ApplicationParticipant>} */
  get participants() {
    return this.#participants?.all ?? new Map();
  }

  /** @param {Omit<Extract<ToServer, { type: 'hello' }>, 'type'>} hello */
  async join(hello) {
    const welcome = await this.#signaling.open(hello);
    this.id = welcome.id;
    this.name = welcome.name;
    this.marker = welcome.marker;
    this.spoolToken = welcome.spool_token;
    for (const info of welcome.members) this.#attached.set(info.id, attachedMember(info));
    const participants = new Participants(this.#hooks, this.#attached, this);
    this.#participants = participants;
    participants.listen('joined', (one) => this.#onJoined(one));
    participants.listen('left', (one) => {
      // Observers log both. The tracks end first, so that no video outlasts its participant.
      this.emit('left', one);
      this.emit('presence', presenceOf('leave', one.name));
    });
    participants.listen('changed', (one) => this.emit('track', one));
    participants.listen('identified', ({ participant, was }) => {
      this.emit('presence', { event: 'identified', participant: participant.name, was });
      this.emit('track', participant);
    });
    participants.listen('disconnected', (one) => this.emit('disconnected', one));
    participants.listen('reconnected', (one) => this.emit('reconnected', one));
    for (const one of participants.all.values()) this.#onJoined(one);
    this.#outOfCall = this.#call.reason;
    this.#timer = setInterval(() => this.#checkCall(), CALL_EVERY);
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
    if (this.#call.connections.length > 0) return;
    const found = this.#hooks.connections.size
      ? "none of the page's WebRTC connections carries audio or video"
      : 'there is no WebRTC connection yet';
    throw invalidState(`This page is not in a call: ${found}. Join a call before recording.`);
  }

  /**
   * Resolves when the owner of every received track is decided, and media has arrived on every track on which media is
   * expected. Fails with a StepTimeout if no connection is established.
   */
  async allReceived() {
    const start = performance.now();
    for (;;) {
      const pending = this.#participants?.pending ?? [];
      const isConnected = this.#call.connections.some((one) => one.connectionState === 'connected');
      const waited = performance.now() - start;
      if (!pending.length || (isConnected && waited > DECIDED_WITHIN)) return;
      if (waited > CONNECTED_WITHIN) {
        const states = this.#call.connections.map((one) => one.connectionState).join(', ');
        throw stepTimeout(
          `This page could not establish a WebRTC connection within 20 s (connection states: ${states}).`,
        );
      }
      await pause(CHECK_EVERY);
    }
  }

  /**
   * Returns the first events of a recording: whether the page is in a call, and a join event for each participant in
   * the recording. The page creates these events, since the server doesn't know who is in the call.
   *
   * @param {RecorderKind} recorder
   * @returns {PresenceEntry[]}
   */
  presence(recorder) {
    this.#outOfCall = this.#call.reason;
    const others = recorder === 'all' ? [...this.participants.values()] : [];
    return [
      this.#callEvent(),
      ...[this, ...others].map(({ name }) => presenceOf(/** @type {const} */ ('join'), name)),
    ];
  }

  /** @param {{audio: boolean, video: boolean, screen: boolean}} state */
  announce(state) {
    // Announce when we hang up, since the other participants' connections may take a long time to notice, and the
    // application's server may not report it.
    const { connections } = this.#call;
    const fingerprints = connections.map(({ localDescription }) => fingerprintOf(localDescription));
    this.#signaling.send({
      type: 'state',
      ...state,
      connected: connections.length > 0,
      fingerprints: [...new Set(fingerprints.filter((one) => one !== null))].slice(-MOST_FINGERPRINTS),
    });
  }

  /** @param {LateFrames} frames */
  reportLate(frames) {
    this.#signaling.send({ type: 'late-frames', ...frames });
  }

  /**
   * @param {string} id
   * @param {string | null} [label] the label of extra tracks, or null for the camera and the microphone
   */
  async skew(id, label = null) {
    return (await this.#participants?.skew(id, label)) ?? null;
  }

  /** @param {string} id */
  resumePlayback(id) {
    this.participants.get(id)?.resumePlayback();
  }

  /** Returns WebRTC's statistics for the connections to each other participant. */
  statistics() {
    return this.#participants?.statistics() ?? Promise.resolve([]);
  }

  /**
   * Returns whether a participant's video may be static, and whether their audio may be silent. A track without a
   * marker may be static or silent while its connection works, since the track may show a slide or come from a muted
   * microphone.
   *
   * @param {string} id
   * @param {string | null} label
   */
  mayRest(id, label) {
    const { video, audio } = this.participants.get(id)?.pair(label) ?? {};
    const rests = (/** @type {CallTrack | null | undefined} */ track) =>
      Boolean(track?.examined && track.marker === null && this.#participants?.isAlive(track));
    return { video: rests(video), audio: rests(audio) };
  }

  /** Returns the latest frame of a video that may be static, or null. @param {string} id @param {string | null} label */
  lastFrame(id, label) {
    const { video } = this.participants.get(id)?.pair(label) ?? {};
    return video ? (this.#participants?.lastFrame(video) ?? null) : null;
  }

  leave() {
    clearInterval(this.#timer);
    this.#signaling.send({ type: 'bye' });
    this.#signaling.close();
    this.#participants?.close();
    this.#participants = null;
  }

  /** @param {FromServer} message */
  #handle(message) {
    switch (message.type) {
      case 'joined':
        this.#attached.set(message.member.id, attachedMember(message.member));
        break;
      case 'left':
        this.#participants?.end(message.id);
        this.#attached.delete(message.id);
        break;
      case 'state': {
        const info = this.#attached.get(message.id);
        if (!info) break;
        const { audio, video, screen, connected, fingerprints } = message;
        Object.assign(info, { audio, video, screen, connected });
        // A participant who has hung up no longer announces the connections that they closed.
        if (connected) info.fingerprints = fingerprints ?? [];
        if (connected) this.#participants?.restore(message.id);
        else this.#participants?.end(message.id);
        for (const one of this.participants.values()) if (one.member === info) this.emit('state', one);
        break;
      }
      default:
    }
    this.#participants?.update();
  }

  /** @param {ApplicationParticipant} participant */
  #onJoined(participant) {
    this.emit('presence', presenceOf('join', participant.name));
    this.emit('joined', participant);
  }

  /** Returns whether the participant at the other end of a connection has hung up. @param {RTCPeerConnection} connection */
  #hasLeft(connection) {
    const fingerprint = fingerprintOf(connection.remoteDescription);
    if (fingerprint === null) return false;
    return [...this.#attached.values()].some(
      ({ connected, fingerprints }) => !connected && fingerprints.includes(fingerprint),
    );
  }

  #checkCall() {
    const reason = this.#call.reason;
    const changed = (reason === null) !== (this.#outOfCall === null);
    this.#outOfCall = reason;
    if (changed) this.emit('presence', this.#callEvent());
  }

  /** @returns {PresenceEntry} */
  #callEvent() {
    const reason = this.#outOfCall;
    return { event: 'call', on: reason === null, ...(reason === null ? {} : { message: reason }) };
  }
}

/** Maximum number of certificates that a page announces. */
const MOST_FINGERPRINTS = 64;

/** @param {MemberInfo} info @returns {AttachedMember} */
const attachedMember = (info) => ({ ...info, fingerprints: info.fingerprints ?? [], connected: true });

/** @param {'join' | 'leave'} event @param {string} participant @returns {PresenceEntry} */
const presenceOf = (event, participant) => ({ event, participant });
