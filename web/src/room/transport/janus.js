/**
 * Janus: media through an SFU (https://janus.conf.meetecho.com/docs/videoroom). Each participant sends media once to
 * the SFU, and receives the media of all other participants over one connection from the SFU.
 *
 * Input: our stream, and messages from Janus. Output: TransportEvents. Room uses this class through the interface
 * Transport. Our server announces only the participants who joined through it. The profiles of participants who joined
 * through other servers are stored in Janus's room.
 */

import { Emitter } from '../../shared/events.js';
import { parse } from '../../shared/json.js';
import { freeMarker } from '../../shared/marker.js';
import { JanusError, Session } from './janus-session.js';
import { LAYERS, Receiver, Sender } from './janus-media.js';
import { sizeFor } from '../participant.js';

/** How often to try to reconnect to Janus, in ms. */
const RETRY_EVERY = 500;
/** How long participants from other servers may take to return after Janus has restarted, in ms. */
const BACK_WITHIN = 10_000;
/** Janus's error codes for a room that already exists, and for a room id that should be a string. */
const EXISTS = 427;
const WRONG_TYPE = 430;

/** @typedef {import('./janus-session.js').Handle} Handle */
/** @typedef {import('./janus-media.js').FeedId} FeedId */
/** A participant in Janus's room; `display` is their profile as JSON. @typedef {{id: FeedId, display?: string}} Attendee */
/**
 * A participant's profile: `server` is the server through which the participant joined, and `sizes` contains the sizes
 * of their video, smallest first.
 *
 * @typedef {MemberInfo & {server: string, sizes: VideoSize[]}} Profile
 */

/**
 * Emits TransportEvents.
 *
 * @extends {Emitter<TransportEvents>}
 * @implements {Transport}
 */
export class Janus extends Emitter {
  /** @type {Session | null} */
  #session = null;
  /** @type {Handle | null} */
  #publisher = null;
  /** @type {Sender | null} */
  #sender = null;
  /** @type {Receiver | null} */
  #receiver = null;
  /** @type {Profile} */
  #profile;
  /** The room's id: a string if this Janus server uses string ids, otherwise a number. @type {number | string} */
  #room;
  /**
   * All participants in Janus's room, by feed. We can receive media from a participant only while the participant
   * publishes.
   *
   * @type {Map<FeedId, {profile: Profile, publishes: boolean}>}
   */
  #feeds = new Map();
  /** The ids of participants who joined through another server. @type {Set<string>} */
  #remote = new Set();
  /** The video size that each participant requests from us. @type {Map<string, VideoSize>} */
  #requested = new Map();
  /** @type {{stream: MediaStream, size: PublishedSize} | null} */
  #published = null;
  #closed = false;

  /**
   * @param {object} options
   * @param {string} options.id ours
   * @param {RTCConfiguration} options.configuration
   * @param {SfuAccess} options.sfu
   */
  constructor({ id, configuration, sfu }) {
    super();
    this.id = id;
    this.configuration = configuration;
    this.sfu = sfu;
    this.#room = sfu.room;
    const { server } = sfu;
    this.#profile = {
      id,
      name: '',
      marker: null,
      audio: true,
      video: true,
      screen: false,
      subscriptions: null,
      server,
      sizes: [],
    };
  }

  /**
   * Joins Janus's room; returns our marker if it is free there, otherwise another free marker.
   *
   * @param {Entrant} entrant
   */
  async enter({ name, marker, synthetic, subscriptions, taken }) {
    Object.assign(this.#profile, { name, marker: synthetic ? marker : null, subscriptions });
    await this.#open();
    // Janus admits participants one at a time, and participants who joined before us keep their markers.
    const theirs = new Set([...taken, ...[...this.#feeds.values()].map(({ profile }) => profile.marker)]);
    const free = synthetic ? freeMarker(marker, theirs) : marker;
    if (free !== marker) await this.#updateProfile({ marker: free });
    return free;
  }

  /** @param {Subscriptions} subscriptions */
  subscribe(subscriptions) {
    void this.#updateProfile({ subscriptions });
    this.#updateFeeds();
  }

  /**
   * Announces our state to the participants from other servers.
   *
   * @param {{audio: boolean, video: boolean, screen: boolean}} state
   */
  announce({ audio, video, screen }) {
    void this.#updateProfile({ audio, video, screen });
  }

  /** Sends our stream to Janus. @param {MediaStream} stream @param {PublishedSize} size */
  async publish(stream, size) {
    this.#published = { stream, size };
    if (!this.#publisher) return;
    if (this.#sender) await this.#sender.change(stream);
    else {
      this.#sender = new Sender(this.#publisher, this.configuration);
      await this.#sender.publish(stream);
    }
    await this.refit();
  }

  /**
   * Sets the video size that a participant requests from us; pass null if the participant no longer subscribes.
   *
   * @param {string} id
   * @param {VideoSize | null} size
   */
  async setRequestedSize(id, size) {
    if (size) this.#requested.set(id, size);
    else this.#requested.delete(id);
    await this.refit();
  }

  /** Adapts the sizes that we send after the size of the published video has changed. */
  async refit() {
    if (!this.#sender || !this.#published) return;
    const sizes = await this.#sender.fit([...this.#requested.values()], this.#published.size());
    await this.#updateProfile({ sizes });
  }

  /** Does nothing, since session descriptions come from Janus, not from other pages. */
  handleSignal() {
    return Promise.resolve();
  }

  /** @param {MediaStreamTrack} old @param {MediaStreamTrack} fresh */
  async replaceTrack(old, fresh) {
    await this.#sender?.replace(old, fresh);
  }

  /** @param {string} id */
  remove(id) {
    this.#requested.delete(id);
    void this.refit();
  }

  /** @param {string} id */
  travelTimes(id) {
    return this.#receiver?.travelTimes(this.#feedOf(id)) ?? {};
  }

  /** @param {string} id */
  resumePlayback(id) {
    this.#receiver?.resumePlayback(this.#feedOf(id));
  }

  /** @param {string} id */
  async stats(id) {
    return (await this.#receiver?.stats(this.#feedOf(id))) ?? null;
  }

  reconnect() {
    // `#onLost` reconnects to Janus automatically.
  }

  close() {
    this.#closed = true;
    this.#closeAll();
  }

  /** Opens a session and joins the room. */
  async #open() {
    const session = new Session(this.sfu.url, this.sfu.token);
    this.#session = session;
    try {
      await session.open();
      const publisher = await session.attach();
      publisher.onEvent = ({ data }) => this.#onRoomEvent(data);
      this.#room = await ensureRoom(publisher, this.#room, this.sfu.name);
      const join = {
        request: 'join',
        ptype: 'publisher',
        room: this.#room,
        display: JSON.stringify(this.#profile),
      };
      const { data } = await publisher.ask(join);
      this.#publisher = publisher;
      this.#receiver = new Receiver(() => session.attach(), this.#room, this.configuration);
      this.#receiver.listen('track', ({ feed, track }) => {
        const id = this.#feeds.get(feed)?.profile.id;
        if (id !== undefined) this.emit('track', { id, track });
      });
      this.#receiver.listen('state', (state) => {
        this.#emitStates(state);
        if (state === 'failed') this.#onLost();
      });
      session.listen('lost', () => this.#onLost(), { once: true });
      this.#onRoomEvent(data);
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Reconnects to Janus, joins the room again and publishes again. */
  #onLost() {
    if (this.#closed) return;
    this.#emitStates('disconnected');
    this.#closeAll();
    const again = async () => {
      if (this.#closed) return;
      try {
        await this.#open();
        if (this.#published) await this.publish(this.#published.stream, this.#published.size);
        setTimeout(() => this.#removeMissing(), BACK_WITHIN);
      } catch {
        this.#closeAll();
        setTimeout(() => void again(), RETRY_EVERY);
      }
    };
    void again();
  }

  #closeAll() {
    this.#sender?.close();
    this.#receiver?.close();
    this.#session?.close();
    [this.#sender, this.#receiver, this.#session, this.#publisher] = [null, null, null, null];
    this.#feeds.clear();
  }

  /**
   * Updates our profile in Janus's room, which participants from other servers read.
   *
   * @param {Partial<Profile>} changes
   */
  async #updateProfile(changes) {
    const before = JSON.stringify(this.#profile);
    Object.assign(this.#profile, changes);
    const display = JSON.stringify(this.#profile);
    if (display !== before)
      await this.#publisher?.ask({ request: 'configure', display }).catch(() => undefined);
  }

  /** Handles an event from Janus's room. @param {Record<string, unknown>} data */
  #onRoomEvent(data) {
    const { publishers, attendees, joining, id, display, leaving, unpublished } = data;
    for (const attendee of /** @type {Attendee[]} */ (attendees ?? [])) this.#onProfile(attendee, false);
    for (const attendee of /** @type {Attendee[]} */ (publishers ?? [])) this.#onProfile(attendee, true);
    if (joining) this.#onProfile(/** @type {Attendee} */ (joining), false);
    else if (display !== undefined && id !== undefined)
      this.#onProfile(/** @type {Attendee} */ ({ id, display }));
    const stopped = this.#feeds.get(/** @type {FeedId} */ (unpublished));
    if (stopped) stopped.publishes = false;
    if (leaving !== undefined) this.#onLeft(/** @type {FeedId} */ (leaving));
    this.#updateFeeds();
  }

  /** @param {Attendee} attendee @param {boolean} [publishes] unchanged by default */
  #onProfile({ id: feed, display = '' }, publishes) {
    const profile = readProfile(display);
    // A participant from another application has a display name, but no harness profile.
    if (!profile || profile.id === this.id) return;
    this.#feeds.set(feed, { profile, publishes: publishes ?? this.#feeds.get(feed)?.publishes ?? false });
    if (profile.server === this.sfu.server) return;
    const known = this.#remote.has(profile.id);
    this.#remote.add(profile.id);
    this.emit(known ? 'updated' : 'joined', profile);
  }

  /** @param {FeedId} feed */
  #onLeft(feed) {
    const profile = this.#feeds.get(feed)?.profile;
    this.#feeds.delete(feed);
    if (profile && this.#remote.delete(profile.id)) this.emit('left', profile.id);
  }

  /** Removes participants who joined through another server and did not return. */
  #removeMissing() {
    const here = new Set([...this.#feeds.values()].map(({ profile }) => profile.id));
    for (const id of [...this.#remote]) {
      if (here.has(id)) continue;
      this.#remote.delete(id);
      this.emit('left', id);
    }
  }

  /** Subscribes to each participant's smallest video that is at least as large as the requested size. */
  #updateFeeds() {
    const { subscriptions } = this.#profile;
    /** @type {Map<FeedId, number>} */
    const layers = new Map();
    for (const [feed, { profile, publishes }] of this.#feeds) {
      const size = sizeFor(subscriptions, profile.id);
      if (!size || !publishes) continue;
      const found = profile.sizes.findIndex(({ height }) => height >= size.height);
      const layer = found < 0 ? profile.sizes.length - 1 : found;
      // The largest size is always the last layer, even if it is the only one.
      layers.set(feed, layer + LAYERS - profile.sizes.length);
    }
    this.#receiver?.receive(layers);
  }

  /** @param {string} id @returns {FeedId | undefined} */
  #feedOf(id) {
    for (const [feed, { profile }] of this.#feeds) if (profile.id === id) return feed;
    return undefined;
  }

  /** Emits a connection state for each participant whose media we receive. @param {RTCPeerConnectionState} state */
  #emitStates(state) {
    for (const { profile } of this.#feeds.values()) this.emit('state', { id: profile.id, state });
  }
}

/**
 * Creates the room unless another participant has already created it. Returns the room's id, which is a string if this
 * Janus server uses string ids.
 *
 * @param {Handle} handle
 * @param {FeedId} room
 * @param {string} description
 * @returns {Promise<FeedId>}
 */
async function ensureRoom(handle, room, description) {
  const request = { request: 'create', room, description, publishers: 256, notify_joining: true };
  try {
    await handle.ask({ ...request, videocodec: 'vp8', bitrate: 0 });
  } catch (error) {
    if (!(error instanceof JanusError)) throw error;
    if (error.code === WRONG_TYPE && typeof room === 'number')
      return ensureRoom(handle, String(room), description);
    if (error.code !== EXISTS) throw error;
  }
  return room;
}

/** @param {string} display @returns {Profile | null} */
function readProfile(display) {
  try {
    const profile = /** @type {Partial<Profile> | null} */ (parse(display));
    return typeof profile?.id === 'string' && typeof profile.server === 'string'
      ? /** @type {Profile} */ (profile)
      : null;
  } catch {
    return null;
  }
}
