/**
 * AppRoom: an application's own call, seen from one of its pages, as a room. Who is in it is told by the application's
 * peer connections; what our own people are called, and the room's clock, by our signalling.
 */

import { invalidState, stepTimeout } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/pause.js';
import { flows, kept, skewOf } from '../webrtc/statistics.js';
import { markOf } from './identify.js';
import { People } from './participants.js';

/** How often we look whether somebody's first frame and sound have come, in ms. */
const LOOK_EVERY = 40;
const RECEIVED_WITHIN = 20_000;
/** How long somebody without a picture is waited for before they are a stranger, in ms. */
const NAMELESS_FOR = 3000;

/** @typedef {import('./participants.js').Person} Person */

/**
 * Somebody else in the call.
 *
 * @implements {CallMember}
 */
class Member {
  received = false;

  /** @param {MemberInfo} info @param {Person} person */
  constructor(info, person) {
    this.info = info;
    this.person = person;
  }

  get id() {
    return this.info.id;
  }

  get name() {
    return this.info.name;
  }

  get videoTrack() {
    return this.person.track('video');
  }

  get audioTrack() {
    return this.person.track('audio');
  }
}

/**
 * Emits what Room does: `joined`, `left`, `track`, `state`, `disconnected`, `reconnected`, `clock`, `closed`.
 *
 * @extends {Emitter<CallRoomEvents>}
 * @implements {CallRoom}
 */
export class AppRoom extends Emitter {
  /** Join and leave events are what this page sees in the call, not who has the page open. */
  presenceFromServer = false;
  /** @type {Map<string, Member>} */
  members = new Map();
  id = '';
  name = '';
  marker = 0;
  spoolToken = '';
  recordings = null;
  /** Our own people, by id: who a mark in a picture belongs to. @type {Map<string, MemberInfo>} */
  #known = new Map();
  /** @type {Map<Person, Member>} */
  #memberOf = new Map();
  /** Who is being looked at. @type {Map<Person, AbortController>} */
  #looking = new Map();
  #strangers = 0;
  #signaling;
  #hooks;
  /** @type {People | null} */
  #people = null;

  /**
   * @param {import('../room/signaling.js').Signaling} signaling
   * @param {AppHooks} hooks
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
    for (const info of welcome.members) this.#known.set(info.id, info);
    const people = new People(this.#hooks);
    this.#people = people;
    people.listen('came', (person) => void this.#meet(person));
    people.listen('changed', (person) => this.#onChanged(person));
    people.listen('gone', (person) => this.#onGone(person));
    people.listen('disconnected', (person) => this.#emitOf('disconnected', person));
    people.listen('reconnected', (person) => this.#emitOf('reconnected', person));
    for (const person of people.all) void this.#meet(person);
  }

  /** The application publishes by itself. */
  publish() {
    return Promise.resolve();
  }

  subscribe() {
    // The application decides whom it receives.
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

  /** Fails where the page is in no call, so that nobody records nothing. */
  checkRecordable() {
    if (this.#hooks.connections.size > 0) return;
    throw invalidState(
      'This page is in no call: it has no WebRTC connection yet. Get it into one before recording.',
    );
  }

  /** Resolves when everybody in the call is known and flows; fails with a StepTimeout that says who does not. */
  async allArrived() {
    const end = performance.now() + RECEIVED_WITHIN;
    for (;;) {
      const late = [...this.members.values()].filter(({ received }) => !received).map(({ name }) => name);
      if (late.length + this.#looking.size === 0) return;
      if (performance.now() > end) {
        const who = late.join(', ') || `${this.#looking.size} who can't be made out`;
        throw stepTimeout(`No picture or sound of ${who} arrived within 20 s.`);
      }
      await pause(LOOK_EVERY);
    }
  }

  /** Returns the joins of everybody in the recording: only this page knows who is in the call. @param {RecorderKind} recorder */
  presence(recorder) {
    const others = recorder === 'all' ? [...this.members.values()] : [];
    return [this, ...others].map(({ name }) => presenceOf('join', name));
  }

  /** @param {{audio: boolean, video: boolean, screen: boolean}} state */
  announce(state) {
    // Who hangs up says so: the others' connections may take long to notice, and a server need not tell them.
    this.#signaling.send({ type: 'state', ...state, connected: this.#hooks.connections.size > 0 });
  }

  /** How much later a member's sound arrives than their picture, in ms; null where WebRTC does not know. @param {string} id */
  async skew(id) {
    const stats = await this.members.get(id)?.person.stats();
    return stats ? skewOf(stats) : null;
  }

  /** @param {string} id */
  resumePlayback(id) {
    this.members.get(id)?.person.resumePlayback();
  }

  async statistics() {
    const found = await Promise.all(
      [...this.members.values()].map(async ({ name, person }) => ({
        participant: name,
        report: kept(await person.stats()),
      })),
    );
    return found.filter(({ report }) => report.length);
  }

  leave() {
    this.#signaling.send({ type: 'bye' });
    this.#signaling.close();
    for (const looking of this.#looking.values()) looking.abort();
    this.#people?.close();
    this.#people = null;
    this.members.clear();
    this.#memberOf.clear();
  }

  /** @param {FromServer} message */
  #handle(message) {
    switch (message.type) {
      case 'joined':
        this.#known.set(message.member.id, message.member);
        break;
      case 'left': {
        this.#known.delete(message.id);
        const member = this.members.get(message.id);
        if (member) this.#onGone(member.person);
        break;
      }
      case 'state': {
        const info = this.#known.get(message.id);
        const { audio, video, screen, connected } = message;
        if (info) Object.assign(info, { audio, video, screen });
        const member = this.members.get(message.id);
        if (member && !connected) this.#onGone(member.person);
        else if (member) this.emit('state', member);
        break;
      }
      default:
    }
  }

  /** Finds out who somebody is, and lets them in. @param {Person} person */
  async #meet(person) {
    if (this.#looking.has(person) || this.#memberOf.has(person)) return;
    const looking = new AbortController();
    this.#looking.set(person, looking);
    try {
      const info = await this.#whoIs(person, looking.signal);
      if (!looking.signal.aborted) this.#letIn(info, person);
    } finally {
      this.#looking.delete(person);
    }
  }

  /** @param {Person} person @param {AbortSignal} signal @returns {Promise<MemberInfo>} */
  async #whoIs(person, signal) {
    const since = performance.now();
    for (;;) {
      // One that has ended shows nothing any more, and goes soon.
      const track = person.track('video')?.readyState === 'live' ? person.track('video') : null;
      const marker = track ? await markOf(track, signal, () => this.#someoneMissing()) : null;
      const known = [...this.#known.values()].find((info) => info.marker === marker && marker !== null);
      if (known && !this.members.has(known.id)) return known;
      if (track || signal.aborted || performance.now() - since > NAMELESS_FOR) return this.#stranger();
      await pause(LOOK_EVERY);
    }
  }

  /** Whether somebody who was attached is not seen yet. */
  #someoneMissing() {
    return [...this.#known.keys()].some((id) => !this.members.has(id));
  }

  /** @returns {MemberInfo} */
  #stranger() {
    this.#strangers += 1;
    const name = `unidentified ${this.#strangers}`;
    return { id: name, name, marker: null, audio: true, video: true, screen: false, subscriptions: null };
  }

  /** @param {MemberInfo} info @param {Person} person */
  #letIn(info, person) {
    const member = new Member(info, person);
    this.members.set(info.id, member);
    this.#memberOf.set(person, member);
    this.emit('presence', presenceOf('join', member.name));
    this.emit('joined', member);
    void this.#arrived(member);
  }

  /** @param {Member} member */
  async #arrived(member) {
    while (!member.received && this.members.get(member.id) === member) {
      const { audio, video } = member.info;
      const wanted = {
        audio: audio && member.audioTrack !== null,
        video: video && member.videoTrack !== null,
      };
      member.received = flows(await member.person.stats(), wanted);
      await pause(LOOK_EVERY);
    }
  }

  /** @param {Person} person */
  #onChanged(person) {
    // Whoever hung up and is back has another track in the place of theirs.
    if (this.#memberOf.has(person)) this.#emitOf('track', person);
    else void this.#meet(person);
  }

  /** @param {Person} person */
  #onGone(person) {
    this.#looking.get(person)?.abort();
    const member = this.#memberOf.get(person);
    if (!member) return;
    this.#memberOf.delete(person);
    this.members.delete(member.id);
    this.emit('presence', presenceOf('leave', member.name));
    this.emit('left', member);
  }

  /** @param {'track' | 'disconnected' | 'reconnected'} type @param {Person} person */
  #emitOf(type, person) {
    const member = this.#memberOf.get(person);
    if (member) this.emit(type, member);
  }
}

/** @param {'join' | 'leave'} event @param {string} participant @returns {PresenceEntry} */
const presenceOf = (event, participant) => ({ event, participant });
