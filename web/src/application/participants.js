/**
 * Participants: the other participants in an application's call, each with all their tracks on all connections.
 *
 * Input: the received tracks (remote-tracks.js), the markers in them (examiner.js), and the list of attached
 * participants from the server. Output: events about participants who join, leave, are identified, or whose tracks change.
 */

import { Emitter } from '../shared/events.js';
import { SCREEN_MARKER, VOICES } from '../shared/marker.js';
import { fingerprintOf } from '../webrtc/connections.js';
import { selectStatistics, skewOf } from '../webrtc/statistics.js';
import { Examiner } from './examiner.js';
import { extraTracksOf, isSameSlots, labeledTracks, markersOf, ownersOf, slotsOf } from './owners.js';
import { RemoteTracks } from './remote-tracks.js';

/** @typedef {import('./remote-tracks.js').RemoteTrack} RemoteTrack */
/** @typedef {import('./owners.js').Owner} Owner */
/** @typedef {import('./owners.js').Slots} Slots */

/**
 * The prefix of unidentified participants' ids and names; the server's ids contain no spaces, so none of them begins
 * with it.
 */
const UNIDENTIFIED = 'unidentified ';

/**
 * Another participant in the call, either identified or named "unidentified N". The id never changes, even if the
 * participant is identified later.
 *
 * @implements {CallParticipant}
 */
export class ApplicationParticipant {
  /** @type {Slots} */
  slots = { camera: null, microphone: null, extras: [] };
  /** All tracks, including those that are not used. @type {RemoteTrack[]} */
  tracks = [];
  /** The state that was last reported, as text. */
  described = '';

  /** @param {string} id @param {MemberInfo} member */
  constructor(id, member) {
    this.id = id;
    this.member = member;
  }

  get name() {
    return this.member.name;
  }

  get isIdentified() {
    return !this.member.id.startsWith(UNIDENTIFIED);
  }

  /** A live track on which nothing has arrived yet is a camera or microphone that is off. */
  get info() {
    const { camera, microphone } = this.slots;
    const video = this.member.video && (camera?.hasMedia ?? true);
    return { ...this.member, video, audio: this.member.audio && (microphone?.hasMedia ?? true) };
  }

  get videoTrack() {
    return this.slots.camera?.track ?? null;
  }

  get audioTrack() {
    return this.slots.microphone?.track ?? null;
  }

  get markers() {
    return markersOf(this.slots.camera, this.slots.microphone);
  }

  /** @returns {ExtraTracks[]} */
  get extras() {
    return extraTracksOf(this.slots);
  }

  /** Returns the video track and the audio track with the given label. @param {string | null} label */
  pair(label) {
    return labeledTracks(this.slots, label);
  }

  resumePlayback() {
    for (const track of this.tracks) track.resumePlayback();
  }
}

/**
 * @typedef {object} ParticipantEvents
 * @property {ApplicationParticipant} joined
 * @property {ApplicationParticipant} left
 * @property {ApplicationParticipant} changed the participant's tracks have changed
 * @property {{participant: ApplicationParticipant, was: string}} identified
 * @property {ApplicationParticipant} disconnected
 * @property {ApplicationParticipant} reconnected
 */

/** @extends {Emitter<ParticipantEvents>} */
export class Participants extends Emitter {
  /** The participants in the call, by id. @type {Map<string, ApplicationParticipant>} */
  all = new Map();
  #remote;
  #examiner;
  /**
   * The tracks whose participants have hung up, but whose connections have not detected this yet. Each track is mapped
   * to its participant.
   *
   * @type {Map<CallTrack, string>}
   */
  #over = new Map();
  /**
   * The attached participants whose markers have been found in each stream of each connection.
   *
   * @type {WeakMap<RTCPeerConnection, Map<string, Set<string>>>}
   */
  #users = new WeakMap();
  #unidentified = 0;
  #attached;
  #hooks;
  #own;

  /**
   * @param {ApplicationHooks} hooks
   * @param {ReadonlyMap<string, AttachedMember>} attached the attached participants, by id
   * @param {{marker: number}} own our own marker
   */
  constructor(hooks, attached, own) {
    super();
    this.#attached = attached;
    this.#hooks = hooks;
    this.#own = own;
    this.#remote = new RemoteTracks(hooks);
    this.#examiner = new Examiner(() => this.#isSomebodyMissing());
    this.#examiner.listen('changed', (track) => this.#onExamined(/** @type {RemoteTrack} */ (track)));
    this.#remote.listen('added', (track) => {
      this.#examiner.add(track);
      this.update();
    });
    this.#remote.listen('removed', (track) => {
      this.#examiner.remove(track);
      this.#over.delete(track);
      this.update();
    });
    this.#remote.listen('changed', () => this.update());
    for (const type of /** @type {const} */ (['disconnected', 'reconnected']))
      this.#remote.listen(type, (connection) => this.#onNetwork(type, connection));
    for (const track of this.#remote.all) this.#examiner.add(track);
    this.update();
  }

  /** The tracks whose owner can't be decided yet, and the tracks on which media should arrive soon. */
  get pending() {
    const tracks = this.#remote.all.filter((track) => !this.#over.has(track));
    const used = new Set([...this.all.values()].flatMap((participant) => participant.tracks));
    return tracks.filter(
      (track) => track.isArriving || (track.hasMedia && !track.examined && !used.has(track)),
    );
  }

  /** @param {CallTrack} track */
  lastFrame(track) {
    return this.#examiner.lastFrame(track);
  }

  /** Whether anything has arrived over the track's connection in the last few seconds. @param {CallTrack} track */
  isAlive(track) {
    return this.#remote.isAlive(track.connection);
  }

  /**
   * Ends a participant's tracks without waiting for their connections to detect the end.
   *
   * @param {string} member the participant's id
   */
  end(member) {
    const participant = [...this.all.values()].find((one) => one.member.id === member);
    for (const track of participant?.tracks ?? []) this.#over.set(track, member);
    this.update();
  }

  /** Uses a participant's tracks again. @param {string} member the participant's id */
  restore(member) {
    for (const [track, of] of this.#over) if (of === member) this.#over.delete(track);
    this.update();
  }

  /** @param {string} id @param {string | null} label */
  async skew(id, label) {
    const { video, audio } = this.all.get(id)?.pair(label) ?? {};
    // WebRTC's statistics compare the audio with the latest frame, which is old if the video is static.
    if (!video || !audio || this.#examiner.isStill(video)) return null;
    return skewOf(await RemoteTracks.stats(/** @type {RemoteTrack[]} */ ([video, audio])));
  }

  /** Returns WebRTC's statistics for each participant. */
  async statistics() {
    const found = await Promise.all(
      [...this.all.values()].map(async ({ name, tracks }) => ({
        participant: name,
        report: selectStatistics(await RemoteTracks.stats(tracks)),
      })),
    );
    return found.filter(({ report }) => report.length);
  }

  close() {
    this.#examiner.close();
    this.#remote.close();
    this.all.clear();
  }

  /** Updates which participants are in the call, and which participant each track belongs to. */
  update() {
    const tracks = this.#remote.all.filter((track) => !this.#over.has(track));
    for (const track of tracks) this.#noteUser(track);
    const owners = ownersOf(tracks, {
      memberOf: (track) => this.#memberOf(track),
      peerOf: (connection) => this.#peerOf(connection),
      isShared: ({ connection, stream }) => (this.#users.get(connection)?.get(stream)?.size ?? 0) > 1,
    });
    /** @type {Map<ApplicationParticipant, Owner>} */
    const staying = new Map();
    /** @type {Owner[]} */
    const joining = [];
    for (const owner of owners) {
      const participant = this.#participantOf(owner);
      if (participant && !staying.has(participant)) staying.set(participant, owner);
      else if (isDecided(owner)) joining.push(owner);
    }
    for (const participant of [...this.all.values()])
      if (!staying.has(participant)) this.#remove(participant);
    for (const [participant, owner] of staying) this.#apply(owner, participant);
    for (const owner of joining) this.#apply(owner, null);
  }

  /** @param {RemoteTrack} track */
  #noteUser(track) {
    const member = this.#memberOf(track);
    if (member === null) return;
    /** @type {Map<string, Set<string>>} */
    const streams = this.#users.get(track.connection) ?? new Map();
    this.#users.set(track.connection, streams);
    streams.set(track.stream, new Set([...(streams.get(track.stream) ?? []), member]));
  }

  /** @param {RemoteTrack} track */
  #onExamined(track) {
    // A server may send another participant's media on the track of a participant who hung up.
    const member = this.#memberOf(track);
    if (member !== null && member !== this.#over.get(track)) this.#over.delete(track);
    this.update();
  }

  /** Returns the participant who previously owned any of the owner's tracks, or null. @param {Owner} owner */
  #participantOf({ member, tracks }) {
    const participants = [...this.all.values()];
    const known = participants.find((one) => member !== null && one.member.id === member);
    const unidentified = participants.find(
      (one) => !one.isIdentified && one.tracks.some((track) => tracks.includes(track)),
    );
    return known ?? unidentified ?? null;
  }

  /** @param {Owner} owner @param {ApplicationParticipant | null} known */
  #apply({ member, tracks }, known) {
    const info = member === null ? null : (this.#attached.get(member) ?? null);
    const participant = known ?? this.#create(info);
    const was = participant.name;
    if (info) participant.member = info;
    const before = participant.slots;
    participant.tracks = /** @type {RemoteTrack[]} */ (tracks);
    participant.slots = slotsOf(tracks.filter((track) => !this.#isOwnAudio(track)));
    const described = JSON.stringify(describe(participant));
    const hasChanged = described !== participant.described || !isSameSlots(before, participant.slots);
    participant.described = described;
    if (!known) {
      this.all.set(participant.id, participant);
      this.emit('joined', participant);
      return;
    }
    if (was !== participant.name) this.emit('identified', { participant, was });
    if (hasChanged) this.emit('changed', participant);
  }

  /** @param {MemberInfo | null} info */
  #create(info) {
    if (info) return new ApplicationParticipant(info.id, info);
    this.#unidentified += 1;
    const name = `${UNIDENTIFIED}${this.#unidentified}`;
    const state = { audio: true, video: true, screen: false };
    return new ApplicationParticipant(name, { id: name, name, marker: null, subscriptions: null, ...state });
  }

  /** @param {ApplicationParticipant} participant */
  #remove(participant) {
    this.all.delete(participant.id);
    participant.tracks = [];
    this.emit('left', participant);
  }

  /** Returns the attached participant whose marker is in the track, or null. @param {CallTrack} track */
  #memberOf({ kind, marker }) {
    if (marker === null) return null;
    const same = (/** @type {number} */ other) =>
      kind === 'video' ? other === marker % SCREEN_MARKER : other % VOICES === marker;
    const found = [...this.#attached.values()].filter(
      (info) => info.connected && info.marker !== null && same(info.marker),
    );
    // Several participants may share a voice, and a page may receive its own media.
    return found.length === 1 && !same(this.#own.marker) ? (found[0]?.id ?? null) : null;
  }

  /**
   * Returns the attached participant whose page is at the other end of a connection, or null. The page at the other end
   * has announced the fingerprint of its certificate.
   *
   * @param {RTCPeerConnection} connection
   */
  #peerOf(connection) {
    const fingerprint = fingerprintOf(connection.remoteDescription);
    if (fingerprint === null) return null;
    for (const [id, { fingerprints }] of this.#attached) if (fingerprints.includes(fingerprint)) return id;
    return null;
  }

  /**
   * Returns whether a track carries our own audio back to us, for example from a second connection of this page. Such a
   * track is not recorded, since the recording already contains our audio.
   *
   * @param {CallTrack} track
   */
  #isOwnAudio({ kind, marker, connection }) {
    if (kind !== 'audio') return false;
    const peer = fingerprintOf(connection.remoteDescription);
    const own = [...this.#hooks.connections].map(({ localDescription }) => fingerprintOf(localDescription));
    const voices = [...this.#attached.values()].map((info) => (info.marker ?? -1) % VOICES);
    const isOurVoice = marker === this.#own.marker % VOICES && !voices.includes(marker);
    return isOurVoice || (peer !== null && own.includes(peer));
  }

  /** Returns whether any attached participant has not been found in the call yet. */
  #isSomebodyMissing() {
    return [...this.#attached.keys()].some((id) => !this.#isPresent(id));
  }

  /** @param {string} member */
  #isPresent(member) {
    return [...this.all.values()].some((participant) => participant.member.id === member);
  }

  /** @param {'disconnected' | 'reconnected'} type @param {RTCPeerConnection} connection */
  #onNetwork(type, connection) {
    for (const participant of this.all.values())
      if (participant.tracks.some((track) => track.connection === connection)) this.emit(type, participant);
  }
}

/**
 * Returns whether an owner is in the call. An unidentified owner counts only after media has arrived, and after all
 * tracks with media have been examined for markers.
 *
 * @param {Owner} owner
 */
const isDecided = ({ member, tracks }) =>
  member !== null ||
  (tracks.some(({ hasMedia }) => hasMedia) &&
    tracks.every(({ hasMedia, examined }) => examined || !hasMedia));

/** Returns everything about a participant that a recording depends on, except the tracks themselves. @param {ApplicationParticipant} participant */
const describe = ({ info, markers, extras }) => ({
  info,
  markers,
  extras: extras.map(({ label, markers: ofExtra }) => ({ label, ofExtra })),
});
