/** The room as one page sees it: who is in, whose tracks arrive, who wants ours. */

import { stepTimeout, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { pause } from '../shared/pause.js';
import { flows, kept, skewOf } from '../webrtc/statistics.js';

/** How often we look whether a member's first frame and sound have come, in ms. */
const LOOK_EVERY = 40;
const RECEIVED_WITHIN = 20_000;

/**
 * Somebody else in the room, and the tracks that arrived from them.
 *
 * @implements {CallMember}
 */
export class Member {
  /** @type {MediaStreamTrack | null} */
  videoTrack = null;
  /** @type {MediaStreamTrack | null} */
  audioTrack = null;
  /** Whether a decoded frame and sound of theirs have arrived here. */
  received = false;
  /** Whether the connection to them is broken. */
  disconnected = false;

  /** @param {MemberInfo} info @param {boolean} [remoteServer] whether they joined by way of another server than ours */
  constructor(info, remoteServer = false) {
    this.info = info;
    this.remoteServer = remoteServer;
  }

  get id() {
    return this.info.id;
  }

  get name() {
    return this.info.name;
  }
}

/**
 * Emits `joined`, `left`, `track` and `state` with the Member as detail, `wanted` when somebody wants our picture in
 * another size, `disconnected` and `reconnected` when the connection to a member breaks and is back, `clock` when the room's clock is known better, `recordings` when their list is another one, `lost` and `resumed` when the connection to the server is
 * gone and back, `closed` when it is gone for good.
 *
 * @extends {Emitter<CallRoomEvents>}
 * @implements {CallRoom}
 */
export class Room extends Emitter {
  /** Whether join and leave events come from the server; otherwise this page sends them. */
  presenceFromServer = true;
  /** @type {Map<string, Member>} */
  members = new Map();
  id = '';
  /** Our own name, as the room knows it. */
  name = '';
  /** The number that our synthetic media carry. */
  marker = 0;
  spoolToken = '';
  /** What was recorded here, the newest first; null where the server keeps no list. @type {LibraryItem[] | null} */
  recordings = null;
  /** @type {Subscriptions} */
  #subscriptions = null;
  /** @type {Transport | null} */
  #transport = null;
  #signaling;
  #createTransport;
  /** @type {PromiseWithResolvers<void>} */
  #entered = Promise.withResolvers();
  /** Who must receive us before our join is done. @type {Map<string, PromiseWithResolvers<void>>} */
  #awaited = new Map();

  /**
   * @param {import('./signaling.js').Signaling} signaling
   * @param {(options: TransportOptions) => Transport} createTransport
   */
  constructor(signaling, createTransport) {
    super();
    this.#signaling = signaling;
    this.#createTransport = createTransport;
    // Messages that arrive while we enter are about the room that we find then.
    signaling.listen('message', (message) => void this.#entered.promise.then(() => this.#handle(message)));
    for (const type of /** @type {const} */ (['clock', 'lost', 'resumed', 'closed']))
      signaling.listen(type, () => this.emit(type));
    // Whatever cut our connection to the server probably cut our connections to the others as well.
    signaling.listen('resumed', () => this.#transport?.reconnect());
  }

  get clock() {
    return this.#signaling.clock;
  }

  checkRecordable() {
    // Everybody in our own room can be recorded, at least the recording participant.
  }

  /** Returns the joins of members who came by way of another server, which ours does not know. @param {RecorderKind} recorder */
  presence(recorder) {
    const others = recorder === 'all' ? [...this.members.values()] : [];
    return others.filter(({ remoteServer }) => remoteServer).map(remoteJoin);
  }

  /** Enters the room. @param {Omit<Extract<ToServer, { type: 'hello' }>, 'type'>} hello */
  async join(hello) {
    const welcome = await this.#signaling.open(hello);
    this.id = welcome.id;
    this.name = welcome.name;
    this.marker = welcome.marker;
    this.spoolToken = welcome.spool_token;
    this.recordings = welcome.recordings;
    this.#subscriptions = hello.subscriptions;
    const transport = this.#createTransport({
      id: welcome.id,
      configuration: { iceServers: welcome.ice_servers, iceTransportPolicy: welcome.ice_policy },
      sfu: welcome.sfu,
      send: (to, data) => this.#signaling.send({ type: 'signal', to, data }),
    });
    this.#transport = transport;
    transport.listen('track', ({ id, track }) => this.#onTrack(id, track));
    transport.listen('state', ({ id, state }) => this.#onConnection(id, state));
    transport.listen('joined', (info) => this.#onRemoteJoin(info));
    transport.listen('updated', (info) => this.#onRemoteUpdate(info));
    transport.listen('left', (id) => this.#onLeft(id));
    for (const info of welcome.members) {
      this.members.set(info.id, new Member(info));
      if (sizeFor(info.subscriptions, this.id)) this.#awaited.set(info.id, Promise.withResolvers());
    }
    await this.#enter(transport, hello, welcome);
    this.#entered.resolve();
    for (const member of this.members.values()) void this.#arrived(member);
  }

  /**
   * Sends the media to everybody who wants them; resolves when they have our first frame and sound.
   *
   * @param {LocalMedia} media
   * @param {number} [timeout] how long that may take, in ms; then a StepTimeout names who did not receive us
   */
  async publish(media, timeout = RECEIVED_WITHIN) {
    for (const member of this.members.values()) await this.#serve(member);
    await this.#transport?.publish(media.stream, () => media.size);
    const waiting = [...this.#awaited].map(([id, { promise }]) =>
      within(
        promise,
        timeout,
        () =>
          `${this.members.get(id)?.name ?? id} did not receive our first frame and sound within ${timeout / 1000} s.`,
      ),
    );
    await Promise.all(waiting);
    this.#awaited.clear();
  }

  /** Says whom we want to receive, and how large; resolves at once. @param {Subscriptions} subscriptions */
  subscribe(subscriptions) {
    this.#subscriptions = subscriptions;
    this.#signaling.send({ type: 'subscribe', subscriptions });
    this.#transport?.subscribe(subscriptions);
    for (const member of this.members.values()) void this.#arrived(member);
  }

  /** Resolves when every member that we want has arrived; fails with a StepTimeout that names who did not. */
  async allArrived() {
    const end = performance.now() + RECEIVED_WITHIN;
    for (;;) {
      const missing = [...this.members.values()].filter(
        (member) =>
          !member.received &&
          sizeFor(this.#subscriptions, member.id) &&
          (member.info.audio || member.info.video),
      );
      if (missing.length === 0) return;
      if (performance.now() > end) {
        const names = missing.map(({ name }) => name).join(', ');
        throw stepTimeout(`No picture or sound of ${names} arrived within 20 s.`);
      }
      await pause(LOOK_EVERY);
    }
  }

  /** Tells everybody whether our microphone and camera are on, and whether the picture is our screen. @param {{audio: boolean, video: boolean, screen: boolean}} state */
  announce(state) {
    this.#signaling.send({ type: 'state', ...state });
    this.#transport?.announce(state);
  }

  /** Sends another track in place of one. @param {MediaStreamTrack} old @param {MediaStreamTrack} fresh */
  async replaceTrack(old, fresh) {
    await this.#transport?.replaceTrack(old, fresh);
  }

  /** @param {string} id @param {RTCPeerConnectionState} state */
  #onConnection(id, state) {
    const member = this.members.get(id);
    const broken = state === 'disconnected' || state === 'failed';
    if (!member || broken === member.disconnected || !(broken || state === 'connected')) return;
    member.disconnected = broken;
    this.emit(broken ? 'disconnected' : 'reconnected', member);
  }

  /** The largest picture that somebody wants of us, or null. @returns {VideoSize | null} */
  requestedSize() {
    const sizes = [...this.members.values()].map((member) => sizeFor(member.info.subscriptions, this.id));
    return sizes.reduce((large, size) => (size && (!large || area(size) > area(large)) ? size : large), null);
  }

  /** Tells our senders how large the published picture has become. */
  async refit() {
    await this.#transport?.refit();
  }

  /**
   * How much later a member's sound arrives than their picture, in ms; null where WebRTC does not know.
   *
   * Capture times are there with the first packet; the statistics, which other browsers have, know it seconds later.
   *
   * @param {string} id
   */
  async skew(id) {
    const { video: seen, audio: heard } = this.#transport?.travelTimes(id) ?? {};
    if (seen !== undefined && heard !== undefined) return heard - seen;
    const stats = await this.#transport?.stats(id);
    return stats ? skewOf(stats) : null;
  }

  /** Makes a member's sound flow again, after the sound system stood still. @param {string} id */
  resumePlayback(id) {
    this.#transport?.resumePlayback(id);
  }

  /** What WebRTC says of the connection to each member that there is one to. */
  async statistics() {
    const found = await Promise.all(
      [...this.members.values()].map(async ({ id, name }) => ({
        participant: name,
        report: kept(await this.#transport?.stats(id)),
      })),
    );
    return found.filter(({ report }) => report.length);
  }

  leave() {
    this.#signaling.send({ type: 'bye' });
    this.#transport?.close();
    this.#transport = null;
    this.#signaling.close();
    this.members.clear();
  }

  /** @param {FromServer} message */
  async #handle(message) {
    switch (message.type) {
      case 'joined': {
        const member = new Member(message.member);
        this.members.set(member.id, member);
        this.emit('joined', member);
        await this.#serve(member);
        void this.#arrived(member);
        break;
      }
      case 'left': {
        this.#onLeft(message.id);
        break;
      }
      case 'subscribe': {
        const member = this.members.get(message.id);
        if (!member) break;
        member.info.subscriptions = message.subscriptions;
        await this.#serve(member);
        break;
      }
      case 'state': {
        const member = this.members.get(message.id);
        if (!member) break;
        const { audio, video, screen } = message;
        Object.assign(member.info, { audio, video, screen });
        this.emit('state', member);
        break;
      }
      case 'signal':
        await this.#transport?.handleSignal(message.from, message.data);
        break;
      case 'received':
        this.#awaited.get(message.from)?.resolve();
        break;
      case 'recordings':
        this.recordings = message.recordings;
        this.emit('recordings');
        break;
      default:
    }
  }

  /**
   * Enters by the transport; whoever can't is not left behind in the room.
   *
   * @param {Transport} transport
   * @param {{media: string, subscriptions: Subscriptions}} hello
   * @param {{name: string, marker: number, members: MemberInfo[]}} welcome
   */
  async #enter(transport, { media, subscriptions }, { name, marker, members }) {
    const synthetic = media === 'synthetic';
    const taken = members.map((info) => info.marker);
    try {
      this.marker = await transport.enter({ name, marker, synthetic, subscriptions, taken });
    } catch (error) {
      this.leave();
      throw error;
    }
    if (this.marker !== marker) this.#signaling.send({ type: 'marker', marker: this.marker });
  }

  /** Somebody joined by way of another server, which ours does not know. @param {MemberInfo} info */
  #onRemoteJoin(info) {
    const names = new Set([this.name, ...[...this.members.values()].map((member) => member.name)]);
    let { name } = info;
    for (let number = 2; names.has(name); number += 1) name = `${info.name} ${number}`;
    const member = new Member({ ...info, name }, true);
    this.members.set(member.id, member);
    this.emit('presence', remoteJoin(member));
    this.emit('joined', member);
    void this.#serve(member);
    void this.#arrived(member);
  }

  /** @param {MemberInfo} info of somebody who joined by way of another server */
  #onRemoteUpdate({ id, audio, video, screen, subscriptions, marker }) {
    const member = this.members.get(id);
    if (!member) return;
    Object.assign(member.info, { audio, video, screen, subscriptions, marker });
    this.emit('state', member);
    void this.#serve(member);
  }

  /** @param {string} id */
  #onLeft(id) {
    const member = this.members.get(id);
    this.#transport?.remove(id);
    this.members.delete(id);
    this.#awaited.get(id)?.resolve();
    if (!member) return;
    if (member.remoteServer)
      this.emit('presence', { event: 'leave', participant: member.name, remote_server: true });
    this.emit('left', member);
  }

  /** Sends to a member what they want of us. @param {Member} member */
  async #serve(member) {
    const size = sizeFor(member.info.subscriptions, this.id);
    this.emit('requested');
    await this.#transport?.setRequestedSize(member.id, size);
  }

  /** @param {string} id @param {MediaStreamTrack} track */
  #onTrack(id, track) {
    const member = this.members.get(id);
    if (!member) return;
    if (track.kind === 'video') member.videoTrack = track;
    else member.audioTrack = track;
    this.emit('track', member);
  }

  /** Waits for a wanted member's first decoded frame and first sound, and tells them. @param {Member} member */
  async #arrived(member) {
    while (
      !member.received &&
      this.members.get(member.id) === member &&
      sizeFor(this.#subscriptions, member.id)
    ) {
      const stats = await this.#transport?.stats(member.id);
      // Others may have waited for the same.
      if (stats && !member.received && flows(stats, member.info)) {
        member.received = true;
        this.#signaling.send({ type: 'received', member: member.id });
        this.emit('received', member);
        return;
      }
      await pause(LOOK_EVERY);
    }
  }
}

/** @param {Subscriptions} subscriptions @param {string} id @returns {VideoSize | null} */
export const sizeFor = (subscriptions, id) => subscriptions?.[id] ?? subscriptions?.['*'] ?? null;

/** @param {VideoSize} size */
const area = ({ width, height, frameRate }) => width * height * frameRate;

/** Returns the join event of a member who came by way of another server. @param {Member} member @returns {PresenceEntry} */
const remoteJoin = ({ name, info: { marker } }) => ({
  event: 'join',
  participant: name,
  remote_server: true,
  marker,
});
