/**
 * Room: our own room as seen by one page, with the participants, their tracks, and their subscriptions to our tracks.
 *
 * Input: the server's messages (signaling.js) and the tracks of one transport (transport/). Output: CallRoomEvents. The
 * client uses this class through the interface CallRoom.
 */

import { Emitter } from '../shared/events.js';
import { selectStatistics, skewOf } from '../webrtc/statistics.js';
import { Arrivals, RECEIVED_WITHIN } from './arrivals.js';
import { Participant, freeName, largerOf, sizeFor } from './participant.js';

/**
 * Emits CallRoomEvents.
 *
 * @extends {Emitter<CallRoomEvents>}
 * @implements {CallRoom}
 */
export class Room extends Emitter {
  presenceFromServer = true;
  /** @type {Map<string, Participant>} */
  participants = new Map();
  id = '';
  /** Our own name in the room. */
  name = '';
  marker = 0;
  spoolToken = '';
  /** @type {LibraryItem[] | null} */
  recordings = null;
  /** @type {Transport | null} */
  #transport = null;
  #arrivals = new Arrivals(this.participants, async (id) => (await this.#transport?.stats(id)) ?? null);
  #signaling;
  #createTransport;
  /** @type {PromiseWithResolvers<void>} */
  #entered = Promise.withResolvers();

  /**
   * @param {import('./signaling.js').Signaling} signaling
   * @param {(options: TransportOptions) => Transport | Promise<Transport>} createTransport
   */
  constructor(signaling, createTransport) {
    super();
    this.#signaling = signaling;
    this.#createTransport = createTransport;
    // Messages that arrive while we are joining are handled after the join.
    signaling.listen('message', (message) => void this.#entered.promise.then(() => this.#handle(message)));
    for (const type of /** @type {const} */ (['clock', 'lost', 'resumed', 'closed']))
      signaling.listen(type, () => this.emit(type));
    // If our connection to the server failed, our connections to the other participants have probably also failed.
    signaling.listen('resumed', () => this.#transport?.reconnect());
    this.#arrivals.listen('received', (participant) => {
      signaling.send({ type: 'received', member: participant.id });
      this.emit('received', participant);
    });
  }

  get clock() {
    return this.#signaling.clock;
  }

  checkRecordable() {
    // Our own room can always be recorded: it contains at least the recording participant.
  }

  /** Returns the join events of participants from other servers, which ours doesn't know. @param {RecorderKind} recorder */
  presence(recorder) {
    const others = recorder === 'all' ? [...this.participants.values()] : [];
    return others.filter(({ remoteServer }) => remoteServer).map(remoteJoin);
  }

  /** Joins the room. @param {Omit<Extract<ToServer, { type: 'hello' }>, 'type'>} hello */
  async join(hello) {
    const welcome = await this.#signaling.open(hello);
    this.id = welcome.id;
    this.name = welcome.name;
    this.marker = welcome.marker;
    this.spoolToken = welcome.spool_token;
    this.recordings = welcome.recordings;
    this.#arrivals.subscriptions = hello.subscriptions;
    const transport = await this.#createTransport({
      id: welcome.id,
      configuration: { iceServers: welcome.ice_servers, iceTransportPolicy: welcome.ice_policy },
      sfu: welcome.sfu,
      send: (to, data) => this.#signaling.send({ type: 'signal', to, data }),
    });
    this.#follow(transport);
    for (const info of welcome.members) {
      this.participants.set(info.id, new Participant(info));
      if (sizeFor(info.subscriptions, this.id)) this.#arrivals.expect(info.id);
    }
    await this.#enter(transport, hello, welcome);
    this.#entered.resolve();
    this.#arrivals.watchAll();
  }

  /**
   * Sends the media to every subscriber; resolves when all of them have received our first frame and audio. Fails with
   * a StepTimeout that names a missing subscriber after `timeout` ms.
   *
   * @param {LocalMedia} media
   * @param {number} [timeout]
   */
  async publish(media, timeout = RECEIVED_WITHIN) {
    for (const participant of this.participants.values()) await this.#serve(participant);
    await this.#transport?.publish(media.stream, () => media.size);
    await this.#arrivals.receivedByAll(timeout);
  }

  /** Announces our subscriptions with the video sizes; returns at once. @param {Subscriptions} subscriptions */
  subscribe(subscriptions) {
    this.#arrivals.subscriptions = subscriptions;
    this.#signaling.send({ type: 'subscribe', subscriptions });
    this.#transport?.subscribe(subscriptions);
    this.#arrivals.watchAll();
  }

  allReceived() {
    return this.#arrivals.allReceived();
  }

  /**
   * Announces whether our microphone and camera are on, and whether our video is a shared screen.
   *
   * @param {{audio: boolean, video: boolean, screen: boolean}} state
   */
  announce(state) {
    this.#signaling.send({ type: 'state', ...state });
    this.#transport?.announce(state);
  }

  /** @param {LateFrames} frames */
  reportLate(frames) {
    this.#signaling.send({ type: 'late-frames', ...frames });
  }

  /** Replaces a track that is being sent. @param {MediaStreamTrack} old @param {MediaStreamTrack} fresh */
  async replaceTrack(old, fresh) {
    await this.#transport?.replaceTrack(old, fresh);
  }

  /** @returns {VideoSize | null} */
  requestedSize() {
    const sizes = [...this.participants.values()].map(({ info }) => sizeFor(info.subscriptions, this.id));
    return sizes.reduce(largerOf, null);
  }

  async refit() {
    await this.#transport?.refit();
  }

  /**
   * Returns how much later a participant's audio arrives than their video, in ms, or null if WebRTC doesn't know.
   *
   * The value comes from the packets' capture times, which Chrome provides from the first packet on. If there are no
   * capture times, the value comes from the statistics, which contain it only after a few seconds.
   *
   * @param {string} id
   */
  async skew(id) {
    const { video, audio } = this.#transport?.travelTimes(id) ?? {};
    if (video !== undefined && audio !== undefined) return audio - video;
    const stats = await this.#transport?.stats(id);
    return stats ? skewOf(stats) : null;
  }

  /** @param {string} id */
  resumePlayback(id) {
    this.#transport?.resumePlayback(id);
  }

  /** Returns WebRTC's statistics for each connection to another participant. */
  async statistics() {
    const found = await Promise.all(
      [...this.participants.values()].map(async ({ id, name }) => ({
        participant: name,
        report: selectStatistics(await this.#transport?.stats(id)),
      })),
    );
    return found.filter(({ report }) => report.length);
  }

  leave() {
    this.#signaling.send({ type: 'bye' });
    this.#transport?.close();
    this.#transport = null;
    this.#signaling.close();
    this.participants.clear();
  }

  /** @param {Transport} transport */
  #follow(transport) {
    this.#transport = transport;
    transport.listen('track', ({ id, track }) => this.#onTrack(id, track));
    transport.listen('state', ({ id, state }) => this.#onConnectionState(id, state));
    transport.listen('joined', (info) => this.#onRemoteJoin(info));
    transport.listen('updated', (info) => this.#onRemoteUpdate(info));
    transport.listen('left', (id) => this.#onLeft(id));
  }

  /**
   * Joins the transport's room. If this join fails, also leaves our own room.
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

  /** @param {FromServer} message */
  async #handle(message) {
    switch (message.type) {
      case 'joined':
        await this.#add(new Participant(message.member));
        break;
      case 'left':
        this.#onLeft(message.id);
        break;
      case 'subscribe':
        await this.#update(message.id, { subscriptions: message.subscriptions });
        break;
      case 'state': {
        const { id, audio, video, screen } = message;
        await this.#update(id, { audio, video, screen });
        break;
      }
      case 'signal':
        await this.#transport?.handleSignal(message.from, message.data);
        break;
      case 'received':
        this.#arrivals.confirm(message.from);
        break;
      case 'recordings':
        this.recordings = message.recordings;
        this.emit('recordings');
        break;
      default:
    }
  }

  /** @param {Participant} participant */
  async #add(participant) {
    this.participants.set(participant.id, participant);
    if (participant.remoteServer) this.emit('presence', remoteJoin(participant));
    this.emit('joined', participant);
    await this.#serve(participant);
    void this.#arrivals.watch(participant);
  }

  /** Applies changes to a participant's information. @param {string} id @param {Partial<MemberInfo>} changes */
  async #update(id, changes) {
    const participant = this.participants.get(id);
    if (!participant) return;
    Object.assign(participant.info, changes);
    if ('audio' in changes) this.emit('state', participant);
    if ('subscriptions' in changes) await this.#serve(participant);
  }

  /** Adds a participant who joined through another server. @param {MemberInfo} info */
  #onRemoteJoin(info) {
    const taken = new Set([this.name, ...[...this.participants.values()].map(({ name }) => name)]);
    void this.#add(new Participant({ ...info, name: freeName(info.name, taken) }, true));
  }

  /** @param {MemberInfo} info the information about a participant who joined through another server */
  #onRemoteUpdate({ id, audio, video, screen, subscriptions, marker }) {
    void this.#update(id, { audio, video, screen, subscriptions, marker });
  }

  /** @param {string} id */
  #onLeft(id) {
    const participant = this.participants.get(id);
    this.#transport?.remove(id);
    this.participants.delete(id);
    this.#arrivals.confirm(id);
    if (!participant) return;
    const { name, remoteServer } = participant;
    // Observers log both. The tracks end first, so that no video outlasts its participant.
    this.emit('left', participant);
    if (remoteServer) this.emit('presence', { event: 'leave', participant: name, remote_server: true });
  }

  /** Sends our video to a participant at the size that they request. @param {Participant} participant */
  async #serve({ id, info }) {
    this.emit('requested');
    await this.#transport?.setRequestedSize(id, sizeFor(info.subscriptions, this.id));
  }

  /** @param {string} id @param {MediaStreamTrack} track */
  #onTrack(id, track) {
    const participant = this.participants.get(id);
    if (!participant) return;
    if (track.kind === 'video') participant.videoTrack = track;
    else participant.audioTrack = track;
    this.emit('track', participant);
  }

  /** @param {string} id @param {RTCPeerConnectionState} state */
  #onConnectionState(id, state) {
    const participant = this.participants.get(id);
    const broken = state === 'disconnected' || state === 'failed';
    if (!participant || broken === participant.disconnected || !(broken || state === 'connected')) return;
    participant.disconnected = broken;
    this.emit(broken ? 'disconnected' : 'reconnected', participant);
  }
}

/** Returns the join event of a participant who joined through another server. @param {Participant} participant @returns {PresenceEntry} */
const remoteJoin = ({ name, info: { marker } }) => ({
  event: 'join',
  participant: name,
  remote_server: true,
  marker,
});
