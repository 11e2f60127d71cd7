/**
 * A room by way of Janus, an SFU (https://janus.conf.meetecho.com/docs/videoroom): everybody sends once, to it, and
 * receives everybody by one connection from it.
 *
 * The interface is the mesh's. Who is in the room is told by our server; whoever is there by way of another server is
 * known by what they call themselves in Janus's room.
 */

import { Emitter } from '../../shared/events.js';
import { parse } from '../../shared/json.js';
import { JanusError, Session } from './janus-session.js';
import { LAYERS, Receiver, Sender } from './janus-media.js';
import { sizeFor } from '../participant.js';

/** How often a lost Janus is looked for again, in ms. */
const RETRY_EVERY = 500;
/** How long those of other servers have to be back after Janus is, in ms. */
const BACK_WITHIN = 10_000;
/** Janus's codes: the room is there already; ids of rooms are text there. */
const EXISTS = 427;
const WRONG_TYPE = 430;
const MARKERS = 256;

/** @typedef {import('./janus-session.js').Handle} Handle */
/** @typedef {import('./janus-media.js').FeedId} FeedId */
/** @typedef {{id: FeedId, display?: string}} Somebody */
/** What somebody calls themselves, as JSON. `server` is whose they are, `sizes` those of their picture, small to large. @typedef {MemberInfo & {server: string, sizes: VideoSize[]}} Card */

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
  /** @type {Card} */
  #card;
  /** The room by the name that this Janus takes: a number, or text. @type {number | string} */
  #room;
  /** Who is in Janus's room, by feed; those who publish can be received. @type {Map<FeedId, {card: Card, publishes: boolean}>} */
  #feeds = new Map();
  /** Who is there by another server, by id. @type {Set<string>} */
  #elsewhere = new Set();
  /** Who wants us, and how large. @type {Map<string, VideoSize>} */
  #wanted = new Map();
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
    this.#card = {
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
   * Enters Janus's room; returns a number that nobody there has, ours if it is free.
   *
   * @param {Entrant} who
   */
  async enter({ name, marker, synthetic, subscriptions, taken }) {
    Object.assign(this.#card, { name, marker: synthetic ? marker : null, subscriptions });
    await this.#open();
    // Who was there before us keeps theirs: Janus lets in one after the other.
    const theirs = new Set([...taken, ...[...this.#feeds.values()].map(({ card }) => card.marker)]);
    let free = marker;
    while (synthetic && theirs.has(free) && theirs.size < MARKERS) free = (free + 1) % MARKERS;
    if (free !== marker) await this.#tell({ marker: free });
    return free;
  }

  /** Says whom we want to receive. @param {Subscriptions} subscriptions */
  subscribe(subscriptions) {
    void this.#tell({ subscriptions });
    this.#subscribe();
  }

  /** Says how we are to those of other servers. @param {{audio: boolean, video: boolean, screen: boolean}} state */
  announce({ audio, video, screen }) {
    void this.#tell({ audio, video, screen });
  }

  /** Gives what we send to Janus. @param {MediaStream} stream @param {PublishedSize} size */
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

  /** A member wants to receive us at this size, or no more. @param {string} id @param {VideoSize | null} size */
  async setRequestedSize(id, size) {
    if (size) this.#wanted.set(id, size);
    else this.#wanted.delete(id);
    await this.refit();
  }

  /** Sends the sizes that are wanted of the picture as it is published now. */
  async refit() {
    if (!this.#sender || !this.#published) return;
    const sizes = await this.#sender.fit([...this.#wanted.values()], this.#published.size());
    await this.#tell({ sizes });
  }

  /** Others' descriptions come by Janus. */
  handleSignal() {
    return Promise.resolve();
  }

  /** @param {MediaStreamTrack} old @param {MediaStreamTrack} fresh */
  async replaceTrack(old, fresh) {
    await this.#sender?.replace(old, fresh);
  }

  /** Whoever left stops to publish by themselves. @param {string} id */
  remove(id) {
    this.#wanted.delete(id);
    void this.refit();
  }

  /** How long a member's picture and sound travel, in ms by kind. @param {string} id */
  travelTimes(id) {
    return this.#receiver?.travelTimes(this.#feedOf(id)) ?? {};
  }

  /** @param {string} id */
  resumePlayback(id) {
    this.#receiver?.resumePlayback(this.#feedOf(id));
  }

  /** Returns the statistics of what comes from a member. @param {string} id */
  async stats(id) {
    return (await this.#receiver?.stats(this.#feedOf(id))) ?? null;
  }

  reconnect() {
    // A connection to Janus that is lost is looked for again by itself.
  }

  close() {
    this.#closed = true;
    this.#hangUp();
  }

  /** Opens a session, and enters the room. */
  async #open() {
    const session = new Session(this.sfu.url, this.sfu.token);
    this.#session = session;
    try {
      await session.open();
      const publisher = await session.attach();
      publisher.hear = ({ data }) => this.#onTold(data);
      await this.#ensureRoom(publisher);
      const join = {
        request: 'join',
        ptype: 'publisher',
        room: this.#room,
        display: JSON.stringify(this.#card),
      };
      const { data } = await publisher.ask(join);
      this.#publisher = publisher;
      this.#receiver = new Receiver(() => session.attach(), this.#room, this.configuration);
      this.#receiver.listen('track', ({ feed, track }) => {
        const id = this.#feeds.get(feed)?.card.id;
        if (id !== undefined) this.emit('track', { id, track });
      });
      this.#receiver.listen('state', (state) => {
        this.#emitStates(state);
        if (state === 'failed') this.#onLost();
      });
      session.listen('lost', () => this.#onLost(), { once: true });
      this.#onTold(data);
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Makes the room, where it is not there yet: whoever comes first does. @param {Handle} handle */
  async #ensureRoom(handle) {
    try {
      await handle.ask({
        request: 'create',
        room: this.#room,
        description: this.sfu.name,
        publishers: 256,
        notify_joining: true,
        videocodec: 'vp8',
        bitrate: 0,
      });
    } catch (error) {
      if (!(error instanceof JanusError)) throw error;
      if (error.code === WRONG_TYPE && typeof this.#room === 'number') {
        this.#room = String(this.#room);
        await this.#ensureRoom(handle);
      } else if (error.code !== EXISTS) throw error;
    }
  }

  /** Looks for Janus again, and does everything anew. */
  #onLost() {
    if (this.#closed) return;
    this.#emitStates('disconnected');
    this.#hangUp();
    const again = async () => {
      if (this.#closed) return;
      try {
        await this.#open();
        if (this.#published) await this.publish(this.#published.stream, this.#published.size);
        setTimeout(() => this.#missed(), BACK_WITHIN);
      } catch {
        this.#hangUp();
        setTimeout(() => void again(), RETRY_EVERY);
      }
    };
    void again();
  }

  #hangUp() {
    this.#sender?.close();
    this.#receiver?.close();
    this.#session?.close();
    [this.#sender, this.#receiver, this.#session, this.#publisher] = [null, null, null, null];
    this.#feeds.clear();
  }

  /** Says something else of us to those of other servers. @param {Partial<Card>} news */
  async #tell(news) {
    const before = JSON.stringify(this.#card);
    Object.assign(this.#card, news);
    const display = JSON.stringify(this.#card);
    if (display !== before)
      await this.#publisher?.ask({ request: 'configure', display }).catch(() => undefined);
  }

  /** Takes what Janus says of its room. @param {Record<string, unknown>} data */
  #onTold(data) {
    const { publishers, attendees, joining, id, display, leaving, unpublished } = data;
    for (const somebody of /** @type {Somebody[]} */ (attendees ?? [])) this.#onCard(somebody, false);
    for (const somebody of /** @type {Somebody[]} */ (publishers ?? [])) this.#onCard(somebody, true);
    if (joining) this.#onCard(/** @type {Somebody} */ (joining), false);
    else if (display !== undefined && id !== undefined)
      this.#onCard(/** @type {Somebody} */ ({ id, display }));
    const stopped = this.#feeds.get(/** @type {FeedId} */ (unpublished));
    if (stopped) stopped.publishes = false;
    if (leaving !== undefined) this.#onLeft(/** @type {FeedId} */ (leaving));
    this.#subscribe();
  }

  /** @param {Somebody} somebody @param {boolean} [publishes] as before where nobody says */
  #onCard({ id: feed, display = '' }, publishes) {
    const card = readCard(display);
    // Who is none of ours has a name, and nothing that we could know them by.
    if (!card || card.id === this.id) return;
    this.#feeds.set(feed, { card, publishes: publishes ?? this.#feeds.get(feed)?.publishes ?? false });
    if (card.server === this.sfu.server) return;
    const known = this.#elsewhere.has(card.id);
    this.#elsewhere.add(card.id);
    this.emit(known ? 'updated' : 'joined', card);
  }

  /** @param {FeedId} feed */
  #onLeft(feed) {
    const card = this.#feeds.get(feed)?.card;
    this.#feeds.delete(feed);
    if (card && this.#elsewhere.delete(card.id)) this.emit('left', card.id);
  }

  /** Takes out whoever of another server did not come back. */
  #missed() {
    const here = new Set([...this.#feeds.values()].map(({ card }) => card.id));
    for (const id of [...this.#elsewhere]) {
      if (here.has(id)) continue;
      this.#elsewhere.delete(id);
      this.emit('left', id);
    }
  }

  /** Asks for those whom we want, of their sizes the smallest that is large enough. */
  #subscribe() {
    const { subscriptions } = this.#card;
    /** @type {Map<FeedId, number>} */
    const layers = new Map();
    for (const [feed, { card, publishes }] of this.#feeds) {
      const size = sizeFor(subscriptions, card.id);
      if (!size || !publishes) continue;
      const found = card.sizes.findIndex(({ height }) => height >= size.height);
      const layer = found < 0 ? card.sizes.length - 1 : found;
      // The large one is the last there is, also where it is the only one.
      layers.set(feed, layer + LAYERS - card.sizes.length);
    }
    this.#receiver?.receive(layers);
  }

  /** @param {string} id @returns {FeedId | undefined} */
  #feedOf(id) {
    for (const [feed, { card }] of this.#feeds) if (card.id === id) return feed;
    return undefined;
  }

  /** Emits a connection state for everybody who is received. @param {RTCPeerConnectionState} state */
  #emitStates(state) {
    for (const { card } of this.#feeds.values()) this.emit('state', { id: card.id, state });
  }
}

/** @param {string} display @returns {Card | null} */
function readCard(display) {
  try {
    const card = /** @type {Partial<Card> | null} */ (parse(display));
    return typeof card?.id === 'string' && typeof card.server === 'string'
      ? /** @type {Card} */ (card)
      : null;
  } catch {
    return null;
  }
}
