/**
 * Owners: decides which participant each track of a call belongs to, and which of a participant's tracks are the camera,
 * the microphone and further tracks, for example a shared screen.
 *
 * Input: the tracks of all peer connections, with the evidence about each track. Output: the tracks of each owner, in
 * slots. These functions have no state and no side effects.
 */

import { SCREEN_MARKER } from '../shared/marker.js';

/**
 * @typedef {object} Evidence
 * @property {(track: CallTrack) => string | null} memberOf returns the attached participant whose marker is in the track
 * @property {(connection: RTCPeerConnection) => string | null} peerOf returns the attached participant whose page is at
 * the other end of the connection; null if this is unknown, for example because a server forwards the media
 * @property {(track: CallTrack) => boolean} isShared returns whether several participants have used the track's stream
 */

/** @typedef {{member: string | null, key: string, tracks: CallTrack[]}} Owner a null `member` is unidentified */

/** @typedef {{label: string, video: CallTrack | null, audio: CallTrack | null}} Extra */

/**
 * A participant's tracks that are in use. `camera` may also be a shared screen, if the participant sends no other
 * video.
 *
 * @typedef {{camera: CallTrack | null, microphone: CallTrack | null, extras: Extra[]}} Slots
 */

/**
 * Returns the owner of each track. A track belongs to the participant whose marker it carries. A track without a marker
 * belongs to the participant whose page sends it, to the only participant who has used its stream, or, if it is a
 * video without audio, to the only participant on its connection. All other tracks belong to unidentified owners, one
 * for each stream.
 *
 * @param {CallTrack[]} tracks the tracks, in the order of their arrival
 * @param {Evidence} evidence
 * @returns {Owner[]}
 */
export function ownersOf(tracks, { memberOf, peerOf, isShared }) {
  /** @type {Map<CallTrack, string>} */
  const members = new Map();
  for (const track of tracks) {
    const member = memberOf(track) ?? peerOf(track.connection);
    if (member !== null) members.set(track, member);
  }
  const streams = [...groupBy(tracks, streamOf).values()];
  for (const ofStream of streams) {
    if (!ofStream.some(isShared)) assignRest(members, ofStream, ofStream);
    assignMissing(members, ofStream);
  }
  for (const ofStream of streams) {
    const isScreen = ofStream.every(({ kind, examined }) => kind === 'video' && examined);
    const onConnection = tracks.filter(({ connection }) => connection === ofStream[0]?.connection);
    if (isScreen) assignRest(members, ofStream, onConnection);
  }
  const identified = groupBy(
    tracks.filter((track) => members.has(track)),
    (track) => /** @type {string} */ (members.get(track)),
  );
  const unidentified = groupBy(
    tracks.filter((track) => !members.has(track)),
    (track) => `${streamOf(track)} ${pairOf(track, tracks)}`,
  );
  return [
    ...[...identified].map(([member, own]) => ({ member, key: member, tracks: own })),
    ...[...unidentified].map(([key, own]) => ({ member: null, key, tracks: own })),
  ];
}

/**
 * Assigns each track without an owner to the owner of `others`, provided that `others` has exactly one owner.
 *
 * @param {Map<CallTrack, string>} members
 * @param {CallTrack[]} tracks
 * @param {CallTrack[]} others
 */
function assignRest(members, tracks, others) {
  const found = new Set(others.map((track) => members.get(track)).filter((member) => member !== undefined));
  const [only] = found;
  if (found.size !== 1 || only === undefined) return;
  for (const track of tracks) if (!members.has(track)) members.set(track, only);
}

/**
 * Assigns the tracks that have no owner yet, in a stream that several participants share. If these tracks are all audio
 * (for example, from muted microphones) or all video, each of them belongs to a participant in the stream who has no
 * other track of this kind.
 *
 * @param {Map<CallTrack, string>} members
 * @param {CallTrack[]} ofStream
 */
function assignMissing(members, ofStream) {
  const rest = ofStream.filter((track) => !members.has(track));
  const kind = rest[0]?.kind;
  if (rest.some((track) => track.kind !== kind || !track.examined)) return;
  const ofKind = ofStream.filter((track) => track.kind === kind).map((track) => members.get(track));
  const lacking = new Set(ofStream.map((track) => members.get(track)).filter((one) => !ofKind.includes(one)));
  for (const [index, member] of [...lacking].entries()) {
    const track = rest[index];
    if (track && member !== undefined) members.set(track, member);
  }
}

/**
 * Returns the tracks of each group, in the order of the groups' first tracks.
 *
 * @template Key
 * @param {CallTrack[]} tracks
 * @param {(track: CallTrack) => Key} keyOf
 */
function groupBy(tracks, keyOf) {
  /** @type {Map<Key, CallTrack[]>} */
  const groups = new Map();
  for (const track of tracks) groups.set(keyOf(track), [...(groups.get(keyOf(track)) ?? []), track]);
  return groups;
}

/** @param {CallTrack} track */
const streamOf = ({ connection, stream }) => `${idOf(connection)} ${stream}`;

/** @type {WeakMap<RTCPeerConnection, number>} */
const ids = new WeakMap();
let nextId = 0;

/** @param {RTCPeerConnection} connection */
function idOf(connection) {
  if (!ids.has(connection)) ids.set(connection, (nextId += 1));
  return ids.get(connection);
}

/**
 * Returns the number of the pair to which a track of a shared stream belongs. Some servers put the tracks of several
 * participants into one stream; the first audio track then belongs to the first video track, and so on. A video track
 * without an audio track belongs to the first pair.
 *
 * @param {CallTrack} track
 * @param {CallTrack[]} tracks
 */
function pairOf(track, tracks) {
  const audio = tracks.filter((one) => one.kind === 'audio' && streamOf(one) === streamOf(track));
  return track.kind === 'audio' || audio.some(({ place }) => place === track.place) ? track.place : 0;
}

/**
 * Chooses the camera, the microphone and the extra tracks from all tracks of one owner. If the owner sends the same
 * tracks on two connections, for example during a reconnect, the newest connection on which media arrives is used.
 *
 * @param {CallTrack[]} tracks the tracks, in the order of their arrival
 * @param {{keepOldest: boolean}} [options] whether to use the oldest connection instead, as long as its tracks are live
 * @returns {Slots}
 */
export function slotsOf(tracks, { keepOldest } = { keepOldest: false }) {
  const connections = [...groupBy(tracks, ({ connection }) => connection).values()].map(slotsOfConnection);
  const [first, ...later] = connections;
  if (!first) return { camera: null, microphone: null, extras: [] };
  const merged = later.reduce((older, newer) => mergeConnections(older, newer, keepOldest), first);
  return { ...merged, extras: numbered(merged.extras) };
}

/** @typedef {Slots & {shape: string}} ConnectionSlots */

/** @param {CallTrack[]} tracks the tracks of one owner on one connection @returns {ConnectionSlots} */
function slotsOfConnection(tracks) {
  const videos = tracks.filter(({ kind }) => kind === 'video');
  const audios = tracks.filter(({ kind }) => kind === 'audio');
  const hasAudio = (/** @type {CallTrack} */ video) => audios.some(({ stream }) => stream === video.stream);
  const notScreen = videos.filter((video) => !isScreen(video));
  const camera = notScreen.find(isCamera) ?? notScreen.find(hasAudio) ?? notScreen[0] ?? videos[0] ?? null;
  const microphone = audios.find(({ stream }) => stream === camera?.stream) ?? audios[0] ?? null;
  const moreAudio = audios.filter((audio) => audio !== microphone && audio.examined);
  const extras = videos
    .filter((video) => video !== camera && video.examined)
    .map((video) => {
      const audio = moreAudio.find(({ stream }) => stream === video.stream) ?? null;
      if (audio) moreAudio.splice(moreAudio.indexOf(audio), 1);
      return { label: isCamera(video) ? 'camera' : 'screen', video, audio };
    });
  const onlyAudio = moreAudio.map((audio) => ({ label: 'audio', video: null, audio }));
  return {
    camera,
    microphone,
    extras: [...extras, ...onlyAudio],
    shape: `${videos.length} ${audios.length}`,
  };
}

/**
 * Combines the tracks that one participant sends over two connections.
 *
 * @param {ConnectionSlots} older
 * @param {ConnectionSlots} newer
 * @param {boolean} keepOldest
 * @returns {ConnectionSlots}
 */
function mergeConnections(older, newer, keepOldest) {
  const sameShape = older.shape === newer.shape;
  /** @type {Extra[]} */
  const extras = [];
  /**
   * Returns the track to use if two tracks have the same content. Otherwise, the newer track becomes an extra.
   *
   * @param {CallTrack | null} before
   * @param {CallTrack | null} now
   */
  const choose = (before, now) => {
    if (!before || !now) return before ?? now;
    if (isSame(before, now, sameShape))
      return !keepOldest && (now.hasMedia || !before.hasMedia) ? now : before;
    if (now.examined) {
      const label = now.kind === 'audio' ? 'audio' : isCamera(now) ? 'camera' : 'screen';
      extras.push({
        label,
        video: now.kind === 'video' ? now : null,
        audio: now.kind === 'audio' ? now : null,
      });
    }
    return before;
  };
  const camera = choose(older.camera, newer.camera);
  const microphone = choose(older.microphone, newer.microphone);
  const added = newer.extras.filter(
    (extra) => !older.extras.some((one) => isSameExtra(one, extra, sameShape)),
  );
  const kept = older.extras.map(
    (extra) => (keepOldest ? null : newer.extras.find((one) => isSameExtra(extra, one, sameShape))) ?? extra,
  );
  return { camera, microphone, extras: [...kept, ...added, ...extras], shape: newer.shape };
}

/** @param {Extra} one @param {Extra} other @param {boolean} sameShape */
function isSameExtra(one, other, sameShape) {
  if (one.label !== other.label) return false;
  const [a, b] = [one.video ?? one.audio, other.video ?? other.audio];
  return a !== null && b !== null && isSame(a, b, sameShape);
}

/**
 * Returns whether two tracks on different connections have the same content. Tracks without markers are assumed to have
 * the same content only if both connections carry the same number of audio and video tracks.
 *
 * @param {CallTrack} one
 * @param {CallTrack} other
 * @param {boolean} sameShape
 */
const isSame = (one, other, sameShape) =>
  one.marker === other.marker && (one.marker !== null || (sameShape && one.examined === other.examined));

/** @param {CallTrack} track */
const isScreen = ({ kind, marker }) => kind === 'video' && marker !== null && marker >= SCREEN_MARKER;

/** @param {CallTrack} track */
const isCamera = ({ kind, marker }) => kind === 'video' && marker !== null && marker < SCREEN_MARKER;

/**
 * Numbers extras that have the same label: screen, screen 2. The first extra camera or audio track is number 2, since
 * the camera or microphone is number 1.
 *
 * @param {Extra[]} extras
 */
function numbered(extras) {
  /** @type {Map<string, number>} */
  const counts = new Map([
    ['camera', 1],
    ['audio', 1],
  ]);
  return extras.map((extra) => {
    const count = (counts.get(extra.label) ?? 0) + 1;
    counts.set(extra.label, count);
    return { ...extra, label: count === 1 ? extra.label : `${extra.label} ${count}` };
  });
}

/** Returns the markers in a video and an audio track. @param {CallTrack | null} video @param {CallTrack | null} audio @returns {TrackMarkers} */
export const markersOf = (video, audio) => ({
  video: video?.examined ? video.marker : undefined,
  audio: audio?.examined ? audio.marker : undefined,
});

/**
 * Returns the tracks with the given label; a null label stands for the camera and the microphone.
 *
 * @param {Slots} slots
 * @param {string | null} label
 * @returns {{video: CallTrack | null, audio: CallTrack | null}}
 */
export const labeledTracks = ({ camera, microphone, extras }, label) =>
  label === null
    ? { video: camera, audio: microphone }
    : (extras.find((extra) => extra.label === label) ?? { video: null, audio: null });

/** Returns the extra tracks in the form that recordings use. @param {Slots} slots @returns {ExtraTracks[]} */
export const extraTracksOf = ({ extras }) =>
  extras.map(({ label, video, audio }) => ({
    label,
    videoTrack: video?.track ?? null,
    audioTrack: audio?.track ?? null,
    markers: markersOf(video, audio),
  }));

/** Returns whether two sets of slots contain the same tracks. @param {Slots} one @param {Slots} other */
export const isSameSlots = (one, other) =>
  one.camera === other.camera &&
  one.microphone === other.microphone &&
  one.extras.length === other.extras.length &&
  one.extras.every(
    ({ video, audio }, index) => video === other.extras[index]?.video && audio === other.extras[index]?.audio,
  );
