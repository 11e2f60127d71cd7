/**
 * The two peer connections to Janus: one sends our media (Sender), and the other receives the other participants' media
 * (Receiver).
 */

import { Emitter } from '../../shared/events.js';
import { createQueue } from '../../shared/promises.js';
import { JanusError } from './janus-session.js';
import {
  AUDIO_BITS,
  MutedPlayback,
  statisticsOf,
  travelTimesOf,
  videoEncoding,
  requestCaptureTime,
} from '../../webrtc/tracks.js';

/** Janus's error code for a feed that no longer exists. */
const NO_SUCH_FEED = 428;
/**
 * The simulcast ids of the large and the small video. Janus numbers the layers in the opposite order, from small to
 * large.
 */
const RIDS = ['h', 'l'];
export const LAYERS = RIDS.length;

/** @typedef {import('./janus-session.js').Handle} Handle */
/** @typedef {import('./janus-session.js').Answer} Answer */
/** @typedef {number | string} FeedId */
/** @typedef {{mid: string, feed_id?: FeedId, active?: boolean}} Stream */

/** Sends one audio track, and one video track in up to two sizes. Nothing is sent until a participant subscribes. */
export class Sender {
  #handle;
  #connection;
  /** @type {Map<string, RTCRtpTransceiver>} */
  #transceivers = new Map();
  /** Runs one change at a time, since Chrome rejects parameters that were read before another change (fact 17). */
  #inTurn = createQueue();

  /** @param {Handle} handle @param {RTCConfiguration} configuration */
  constructor(handle, configuration) {
    this.#handle = handle;
    this.#connection = new RTCPeerConnection({ ...configuration, bundlePolicy: 'max-bundle' });
    handle.trickle(this.#connection);
  }

  /** @param {MediaStream} stream */
  async publish(stream) {
    for (const kind of /** @type {const} */ (['audio', 'video'])) {
      const sendEncodings = kind === 'audio' ? [{ maxBitrate: AUDIO_BITS }] : RIDS.map((rid) => ({ rid }));
      const transceiver = this.#connection.addTransceiver(trackOf(stream, kind) ?? kind, {
        direction: 'sendonly',
        streams: [stream],
        sendEncodings: sendEncodings.map((encoding) => ({
          ...encoding,
          active: false,
          scalabilityMode: kind === 'video' ? 'L1T1' : undefined,
        })),
      });
      requestCaptureTime(transceiver);
      this.#transceivers.set(kind, transceiver);
    }
    await this.#connection.setLocalDescription();
    const { jsep } = await this.#handle.ask({ request: 'publish' }, this.#connection.localDescription);
    if (jsep) await this.#connection.setRemoteDescription(jsep);
  }

  /** Replaces the sent tracks with the given stream's tracks. @param {MediaStream} stream */
  change(stream) {
    return this.#inTurn(async () => {
      for (const [kind, { sender }] of this.#transceivers) {
        const track = trackOf(stream, kind);
        if (sender.track !== track) await sender.replaceTrack(track);
      }
    });
  }

  /** @param {MediaStreamTrack} old @param {MediaStreamTrack} fresh */
  replace(old, fresh) {
    return this.#inTurn(async () => {
      const sender = this.#transceivers.get(fresh.kind)?.sender;
      if (sender?.track === old) await sender.replaceTrack(fresh);
    });
  }

  /**
   * Sends the smallest and the largest of the requested sizes; returns the sizes that are sent, smallest first.
   *
   * @param {VideoSize[]} requested
   * @param {VideoSize} published
   * @returns {Promise<VideoSize[]>}
   */
  async fit(requested, published) {
    const sizes = [...requested].sort((one, other) => one.height - other.height);
    const small = sizes[0];
    const large = sizes.at(-1);
    const layers = small && large ? (small.height < large.height ? [small, large] : [large]) : [];
    await this.#inTurn(async () => {
      for (const [kind, { sender }] of this.#transceivers) {
        const parameters = sender.getParameters();
        const { encodings } = parameters;
        for (const [index, encoding] of encodings.entries()) {
          // The first encoding is for the large video.
          const size = layers.at(-1 - index);
          encoding.active = size !== undefined;
          if (kind === 'video' && size) Object.assign(encoding, videoEncoding(size, published));
        }
        if (this.#connection.signalingState !== 'closed') await sender.setParameters(parameters);
      }
    });
    return layers;
  }

  close() {
    this.#connection.close();
  }
}

/**
 * Emits `track` with { feed, track }, and `state` with the connection state.
 *
 * @extends {Emitter<{track: {feed: FeedId, track: MediaStreamTrack}, state: RTCPeerConnectionState}>}
 */
export class Receiver extends Emitter {
  #attach;
  #room;
  #connection;
  /** @type {Handle | null} */
  #handle = null;
  /** The feeds that we want to receive, and the video layer that we want from each. @type {Map<FeedId, number>} */
  #feedLayers = new Map();
  /** The feeds that we have requested from Janus. @type {Set<FeedId>} */
  #requested = new Set();
  /** The layers that we have requested from Janus, by mid. @type {Map<string, number>} */
  #layers = new Map();
  /** The current feed of each transceiver, by mid, since Janus reuses transceivers. @type {Map<string, FeedId>} */
  #feeds = new Map();
  /** @type {Map<string, MutedPlayback>} */
  #playback = new Map();
  #syncing = false;

  /** @param {() => Promise<Handle>} attach @param {FeedId} room @param {RTCConfiguration} configuration */
  constructor(attach, room, configuration) {
    super();
    this.#attach = attach;
    this.#room = room;
    const connection = new RTCPeerConnection({ ...configuration, bundlePolicy: 'max-bundle' });
    this.#connection = connection;
    connection.addEventListener('track', ({ track, transceiver }) => this.#onTrack(track, transceiver));
    connection.addEventListener('connectionstatechange', () => {
      this.emit('state', connection.connectionState);
    });
  }

  /** Receives exactly the given feeds, with one video layer from each feed. @param {Map<FeedId, number>} feedLayers */
  receive(feedLayers) {
    this.#feedLayers = feedLayers;
    void this.#syncFeeds();
  }

  /** @param {FeedId | undefined} feed */
  travelTimes(feed) {
    return travelTimesOf(this.#receiversOf(feed));
  }

  /** @param {FeedId | undefined} feed */
  stats(feed) {
    return statisticsOf(this.#receiversOf(feed));
  }

  /** @param {FeedId | undefined} feed */
  resumePlayback(feed) {
    for (const [mid, playing] of this.#playback) if (this.#feeds.get(mid) === feed) playing.resumePlayback();
  }

  close() {
    this.#feedLayers = new Map();
    for (const playing of this.#playback.values()) playing.close();
    this.#connection.close();
  }

  /** @param {FeedId | undefined} feed */
  #receiversOf(feed) {
    return this.#connection
      .getTransceivers()
      .filter(
        ({ mid, currentDirection }) => this.#feeds.get(mid ?? '') === feed && currentDirection === 'recvonly',
      )
      .map(({ receiver }) => receiver);
  }

  /** Subscribes and unsubscribes, one negotiation at a time, until Janus sends exactly the feeds that we want. */
  async #syncFeeds() {
    if (this.#syncing) return;
    this.#syncing = true;
    try {
      for (;;) {
        const added = [...this.#feedLayers.keys()].filter((feed) => !this.#requested.has(feed));
        const removed = [...this.#requested].filter((feed) => !this.#feedLayers.has(feed));
        if (added.length + removed.length === 0) break;
        await this.#changeFeeds(added, removed);
      }
      await this.#chooseLayers();
    } catch {
      // Janus has closed the connection or is about to close it. The class Janus then creates a new Receiver.
    } finally {
      this.#syncing = false;
    }
  }

  /** @param {FeedId[]} added @param {FeedId[]} removed */
  async #changeFeeds(added, removed) {
    const streams = added.map((feed) => ({ feed }));
    for (const feed of added) this.#requested.add(feed);
    for (const feed of removed) this.#requested.delete(feed);
    if (!this.#handle) {
      this.#handle = await this.#attach();
      this.#handle.trickle(this.#connection);
      this.#handle.onEvent = (answer) => void this.#negotiate(answer);
      await this.#request({
        request: 'join',
        ptype: 'subscriber',
        room: this.#room,
        use_msid: true,
        streams,
      });
      return;
    }
    const subscribe = streams.length ? { subscribe: streams } : {};
    const unsubscribe = removed.length ? { unsubscribe: removed.map((feed) => ({ feed })) } : {};
    await this.#request({ request: 'update', ...subscribe, ...unsubscribe });
  }

  /** @param {Record<string, unknown>} body */
  async #request(body) {
    try {
      await this.#negotiate(/** @type {Answer} */ (await this.#handle?.ask(body)));
    } catch (error) {
      // Ignore this error: the publisher has just left, which Janus announces in another message.
      if (!(error instanceof JanusError) || error.code !== NO_SUCH_FEED) throw error;
    }
  }

  /** Stores the feed of each stream, and answers Janus's offer. @param {Answer} answer */
  async #negotiate({ data, jsep }) {
    const streams = /** @type {Stream[]} */ (data['streams'] ?? []);
    for (const { mid, feed_id: feed, active } of streams) {
      if (feed === undefined || active === false) this.#feeds.delete(mid);
      else this.#feeds.set(mid, feed);
    }
    if (!jsep) return;
    await this.#connection.setRemoteDescription(jsep);
    for (const transceiver of this.#connection.getTransceivers()) requestCaptureTime(transceiver);
    await this.#connection.setLocalDescription();
    await this.#handle?.ask({ request: 'start' }, this.#connection.localDescription);
  }

  /** For each video whose required layer has changed, requests the new layer from Janus. */
  async #chooseLayers() {
    const streams = [];
    for (const { mid, receiver } of this.#connection.getTransceivers()) {
      const layer = this.#feedLayers.get(this.#feeds.get(mid ?? '') ?? '');
      if (mid === null || receiver.track.kind !== 'video' || layer === undefined) continue;
      if (this.#layers.get(mid) === layer) continue;
      this.#layers.set(mid, layer);
      streams.push({ mid, substream: layer });
    }
    if (streams.length) await this.#handle?.ask({ request: 'configure', streams });
  }

  /** @param {MediaStreamTrack} track @param {RTCRtpTransceiver} transceiver */
  #onTrack(track, { mid }) {
    const feed = this.#feeds.get(mid ?? '');
    if (mid === null || feed === undefined) return;
    if (track.kind === 'audio') {
      const playing = this.#playback.get(mid) ?? new MutedPlayback();
      this.#playback.set(mid, playing);
      playing.play(track);
    }
    this.emit('track', { feed, track });
  }
}

/** @param {MediaStream} stream @param {string} kind */
const trackOf = (stream, kind) => stream.getTracks().find((track) => track.kind === kind) ?? null;
