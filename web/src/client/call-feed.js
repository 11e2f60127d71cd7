/**
 * CallFeed: passes the call's participants, their tracks and the events of the call on to recordings and observations.
 *
 * Input: the events of one room, and our own devices. Output: calls to each follower.
 */

import { extraSources } from './sources.js';

/** @typedef {import('../mixer/mixer.js').Source} Source */

/**
 * @typedef {object} Follower a recording in progress, or an observation
 * @property {RecorderKind} scope whether the follower follows everybody, or only us
 * @property {(participant: string, sources: Source[]) => void} setSources replaces all sources of the participant with the
 * given id; an empty list removes the participant
 * @property {(entry: Omit<RoomEvent, 'time'>) => void} logEvent adds an event that happens now
 */

export class CallFeed {
  /** @type {Set<Follower>} */
  #followers = new Set();
  /** @type {CallRoom | null} */
  #room = null;
  #devices;

  /** @param {import('./devices.js').Devices} devices */
  constructor(devices) {
    this.#devices = devices;
  }

  /** Starts following the given room. @param {CallRoom} room */
  follow(room) {
    this.#room = room;
    room.listen('presence', (entry) => {
      const followers = entry.event === 'call' ? this.#followers : this.#ofEverybody;
      for (const follower of followers) follower.logEvent(entry);
    });
    for (const type of /** @type {const} */ (['joined', 'track', 'state'])) {
      room.listen(type, (member) => {
        for (const follower of this.#ofEverybody) follower.setSources(member.id, sourcesOf(room, member));
      });
    }
    room.listen('left', ({ id }) => {
      for (const follower of this.#ofEverybody) follower.setSources(id, []);
    });
    room.listen('disconnected', ({ name }) => this.#logNetwork(name, false));
    room.listen('reconnected', ({ name }) => this.#logNetwork(name, true));
  }

  /**
   * Adds a follower, logs the first events of the call, and returns the current sources.
   *
   * @param {Follower} follower
   * @param {CallRoom} room
   */
  add(follower, room) {
    this.#followers.add(follower);
    for (const entry of room.presence(follower.scope)) follower.logEvent(entry);
    const others = follower.scope === 'all' ? [...room.participants.values()] : [];
    return [...this.#devices.sources(room), ...others.flatMap((one) => sourcesOf(room, one))];
  }

  /** @param {Follower} follower */
  delete(follower) {
    this.#followers.delete(follower);
  }

  /** Passes our current video and audio to every follower. */
  updateOwnSource() {
    const room = this.#room;
    if (!room) return;
    for (const follower of this.#followers) follower.setSources(room.id, this.#devices.sources(room));
  }

  get #ofEverybody() {
    return [...this.#followers].filter(({ scope }) => scope === 'all');
  }

  /** @param {string} participant @param {boolean} on true if the connection was restored, false if it was lost */
  #logNetwork(participant, on) {
    for (const follower of this.#followers) follower.logEvent({ event: 'network', participant, on });
  }
}

/**
 * Returns another participant's tracks as sources: the camera and the microphone, and any extra tracks.
 *
 * @param {CallRoom} room
 * @param {CallParticipant} member
 * @returns {Source[]}
 */
function sourcesOf(room, { id, name, videoTrack, audioTrack, info, markers, extras = [] }) {
  const of = (/** @type {string | null} */ label) => ({
    name,
    remote: true,
    skew: () => room.skew(id, label),
    resumePlayback: () => room.resumePlayback(id),
    mayRest: () => room.mayRest?.(id, label) ?? { video: info.screen, audio: false },
    lastFrame: () => room.lastFrame?.(id, label) ?? null,
  });
  const { video, audio, screen } = info;
  const main = { ...of(null), id, videoTrack, audioTrack, video, audio, screen };
  const more = extraSources(id, extras, of, (track) => track !== null);
  return [markers ? { ...main, markers } : main, ...more];
}
