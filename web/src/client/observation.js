/**
 * Observation: logs who is in a call and what they send, without recording anything.
 *
 * Input: the call's events and sources (call-feed.js). Output: entries for Python, which writes the manifest.
 */

import { pageNow } from '../shared/clock.js';
import { invalidState } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { trackEvents } from '../mixer/track-events.js';

/** @typedef {import('../mixer/mixer.js').Source} Source */

/** How often to report that the observation continues, in ms. */
const ALIVE_EVERY = 1000;
/** Maximum number of entries. A call that causes more events is no longer observed. */
const MOST_ENTRIES = 20_000;

/**
 * Emits `entry` with each new entry and its number, and without an entry once per second, so that Python knows for how
 * long the call was observed if the page disappears.
 *
 * @extends {Emitter<{entry: ObservationProgress}>}
 */
export class Observation extends Emitter {
  scope = /** @type {const} */ ('all');
  /** When the observation ended, in ms on the room's clock; null while it is in progress. @type {number | null} */
  endedAt = null;
  /** @type {RoomEvent[]} */
  #entries = [];
  /** The latest sources, by id. @type {Map<string, Source>} */
  #sources = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #room;
  #marker;

  /** @param {string} id @param {CallRoom} room @param {number | null} marker our own marker; null if we have none */
  constructor(id, room, marker) {
    super();
    this.id = id;
    this.#room = room;
    this.#marker = marker;
    room.listen('lost', () => this.#raiseAlarm('Lost connection to the server.'));
    room.listen('closed', () => this.#raiseAlarm('The connection to the server has ended.'));
  }

  /** Logs who is in the call now. @param {Source[]} sources */
  begin(sources) {
    for (const source of sources) this.#set(source);
    this.#timer = setInterval(() => this.#report(), ALIVE_EVERY);
  }

  /** Ends the observation, unless it has already ended. @returns {ObservationResult} */
  end() {
    if (this.endedAt === null) {
      clearInterval(this.#timer);
      this.endedAt = this.#now();
      this.#report();
    }
    return { time: this.endedAt, entries: this.#entries };
  }

  /** Replaces all sources of a participant. @param {string} participant @param {Source[]} sources */
  setSources(participant, sources) {
    const ids = new Set(sources.map(({ id }) => id));
    for (const [id, source] of this.#sources)
      if ((id === participant || id.startsWith(`${participant}/`)) && !ids.has(id)) this.#remove(source);
    for (const source of sources) this.#set(source);
  }

  /** @param {Omit<RoomEvent, 'time'>} entry */
  logEvent(entry) {
    const { event, participant = '' } = entry;
    if (this.#room.presenceFromServer && (event === 'join' || event === 'leave')) return;
    this.#log(
      event === 'join' || event === 'identified' ? { ...entry, marker: this.#markerOf(participant) } : entry,
    );
  }

  /** @param {Source} source */
  #set(source) {
    const before = this.#sources.get(source.id) ?? null;
    this.#sources.set(source.id, source);
    if (before === null) this.#logPresence(source, 'join');
    for (const kind of /** @type {const} */ (['video', 'audio'])) {
      const isOn = sends(source, kind);
      // A device that is off from the start is logged, so that the manifest states that nothing is expected from it.
      const turnedOff = !source[kind] && (before?.[kind] ?? true);
      if (isOn !== (before !== null && sends(before, kind)) || turnedOff) this.#logSwitch(source, kind, isOn);
    }
    this.#logTracks(before, source);
  }

  /** @param {Source} source */
  #remove(source) {
    this.#sources.delete(source.id);
    for (const kind of /** @type {const} */ (['video', 'audio']))
      if (sends(source, kind)) this.#logSwitch(source, kind, false);
    this.#logTracks(source, null);
    this.#logPresence(source, 'leave');
  }

  /** @param {Source | null} before @param {Source | null} now */
  #logTracks(before, now) {
    for (const event of trackEvents(before, now)) this.#log(event);
  }

  /** @param {Source} source @param {'video' | 'audio'} kind @param {boolean} on */
  #logSwitch({ name, track }, kind, on) {
    this.#log({ event: kind, participant: name, ...(track === undefined ? {} : { track }), on });
  }

  /**
   * Logs that a participant joined or left our own room. In other applications, the room logs it (logEvent).
   *
   * @param {Source} source
   * @param {'join' | 'leave'} event
   */
  #logPresence({ name, track }, event) {
    if (!this.#room.presenceFromServer || track !== undefined) return;
    this.#log({ event, participant: name, ...(event === 'join' ? { marker: this.#markerOf(name) } : {}) });
  }

  /** @param {string} message */
  #raiseAlarm(message) {
    this.#log({ event: 'alarm', message });
  }

  /** Returns the marker of a participant, or null. @param {string} name */
  #markerOf(name) {
    if (name === this.#room.name) return this.#marker;
    const participants = [...this.#room.participants.values()];
    return participants.find((one) => one.name === name)?.info.marker ?? null;
  }

  /** @param {Omit<RoomEvent, 'time'>} event */
  #log(event) {
    if (this.endedAt !== null) return;
    const isFull = this.#entries.length === MOST_ENTRIES - 1;
    /** @type {Omit<RoomEvent, 'time'>} */
    const full = { event: 'alarm', message: 'Too many events have happened, so the observation ends here.' };
    const entry = { ...(isFull ? full : event), time: this.#now() };
    this.#entries.push(entry);
    this.#report(entry);
    if (isFull) this.end();
  }

  /** @param {RoomEvent} [entry] */
  #report(entry) {
    this.emit('entry', {
      id: this.id,
      time: entry?.time ?? this.endedAt ?? this.#now(),
      number: this.#entries.length,
      ...(entry ? { entry } : {}),
      ended: this.endedAt !== null,
    });
  }

  #now() {
    return this.#room.clock.room(pageNow());
  }
}

/**
 * The observations of a page, of which only one can be in progress. Emits `progress` with every entry.
 *
 * @extends {Emitter<{progress: ObservationProgress}>}
 */
export class Observations extends Emitter {
  /** The latest observation. @type {Observation | null} */
  #latest = null;
  #feed;

  /** @param {import('./call-feed.js').CallFeed} feed */
  constructor(feed) {
    super();
    this.#feed = feed;
  }

  /**
   * Starts to observe a call; resolves with the time on the room's clock, and its maximum error, both in ms.
   *
   * @param {string} id
   * @param {CallRoom | null} room our room, or null if we are not in a room
   * @param {number | null} marker our own marker; null if we have none
   */
  async start(id, room, marker) {
    if (!room) throw invalidState('Not in a room; join one before observing it.');
    if (this.#latest?.endedAt === null)
      throw invalidState('This page is already observing the call; stop the observation first.');
    room.checkRecordable();
    // The owners of all tracks are known only after this.
    await room.allReceived();
    const observation = new Observation(id, room, marker);
    observation.listen('entry', (detail) => this.emit('progress', detail));
    this.#latest = observation;
    const time = room.clock.room();
    observation.begin(this.#feed.add(observation, room));
    return { time, error: room.clock.error };
  }

  /** Ends the observation with the given id, and returns everything that was observed. @param {string} id */
  stop(id) {
    const latest = this.#latest;
    if (latest?.id !== id) throw invalidState('This page is not observing the call.');
    this.end();
    return latest.end();
  }

  /** Ends the latest observation, unless it has already ended. */
  end() {
    if (!this.#latest) return;
    this.#feed.delete(this.#latest);
    this.#latest.end();
  }
}

/**
 * Returns whether a source sends video or audio. In our own room, other participants' tracks arrive only while we
 * subscribe to them, so only the announced state of their devices counts.
 *
 * @param {Source} source
 * @param {'video' | 'audio'} kind
 */
const sends = (source, kind) =>
  source[kind] &&
  (source[`${kind}Track`] !== null ||
    (source.remote && source.markers === undefined && source.track === undefined));
