/**
 * Mesh: one peer connection to each participant that sends to us or subscribes to us.
 *
 * Input: our stream, and the descriptions and candidates that the server forwards. Output: TransportEvents. Room uses
 * this class through the Transport interface.
 */

import { Emitter } from '../../shared/events.js';
import { createQueue, pause } from '../../shared/promises.js';
import {
  AUDIO_BITS,
  MutedPlayback,
  travelTimesOf,
  videoEncoding,
  requestCaptureTime,
} from '../../webrtc/tracks.js';

/** Maximum time that a rollback of our offer waits for the offer's first candidate, in ms. */
const GATHERED_WITHIN = 1000;
/**
 * Maximum number of attempts to set a sender's encodings while negotiations interfere, and the time between two
 * attempts, in ms.
 */
const TRIES = 20;
const RETRY_AFTER = 50;

/**
 * A peer connection that uses perfect negotiation. The connection sends our tracks if the other side subscribes, and
 * receives the other side's tracks.
 */
class Peer {
  #connection;
  #polite;
  #offering = false;
  #ignoring = false;
  /** @type {PromiseWithResolvers<void>} */
  #gathered = Promise.withResolvers();
  #handling = createQueue();
  /**
   * The transceivers of our audio and video. There is only one transceiver per kind, since a connection never removes a
   * transceiver.
   *
   * @type {Map<string, RTCRtpTransceiver>}
   */
  #transceivers = new Map();
  /** The video size that the other side requests from us. @type {VideoSize | null} */
  #requested = null;
  #playback = new MutedPlayback();

  /**
   * @param {object} options
   * @param {boolean} options.polite whether we roll back our offer if both sides make an offer at the same time
   * @param {RTCConfiguration} options.configuration
   * @param {(data: SignalData) => void} options.send
   * @param {(track: MediaStreamTrack) => void} options.onTrack
   * @param {(state: RTCPeerConnectionState) => void} options.onState
   */
  constructor({ polite, configuration, send, onTrack, onState }) {
    this.#polite = polite;
    this.send = send;
    const connection = new RTCPeerConnection({ ...configuration, bundlePolicy: 'max-bundle' });
    this.#connection = connection;
    connection.addEventListener('negotiationneeded', () => void this.#offer());
    connection.addEventListener('icecandidate', ({ candidate }) => {
      this.#gathered.resolve();
      if (candidate) send({ candidate: candidate.toJSON() });
    });
    connection.addEventListener('track', ({ track }) => {
      if (track.kind === 'audio') this.#playAudio(track);
      onTrack(track);
    });
    connection.addEventListener('connectionstatechange', () => {
      if (connection.connectionState === 'failed') connection.restartIce();
      onState(connection.connectionState);
    });
  }

  /**
   * Plays audio from the first packet. Otherwise, WebRTC would buffer the first packets and then catch up for several
   * seconds.
   *
   * @param {MediaStreamTrack} track
   */
  #playAudio(track) {
    this.#playback.play(track);
    track.addEventListener('mute', () => this.#playback.close(), { once: true });
  }

  /** Restarts playback after the audio system was suspended. */
  resumePlayback() {
    this.#playback.resumePlayback();
  }

  async #offer() {
    try {
      this.#offering = true;
      await this.#connection.setLocalDescription();
      const description = this.#connection.localDescription;
      if (description) this.send({ description: description.toJSON() });
    } finally {
      this.#offering = false;
    }
  }

  /**
   * Handles the other side's signals in order. Otherwise, an offer that overtakes the previous answer would be ignored.
   *
   * @param {SignalData} data
   */
  handleSignal(data) {
    return this.#handling(() => this.#handle(data));
  }

  /** @param {SignalData} data */
  async #handle({ description, candidate }) {
    if (description) {
      const collision =
        description.type === 'offer' && (this.#offering || this.#connection.signalingState !== 'stable');
      this.#ignoring = !this.#polite && collision;
      if (this.#ignoring) return;
      // If an offer is rolled back before its first candidate, Chrome never gathers candidates again.
      if (collision) await Promise.race([this.#gathered.promise, pause(GATHERED_WITHIN)]);
      await this.#connection.setRemoteDescription(description);
      if (description.type === 'offer') {
        for (const transceiver of this.#connection.getTransceivers()) requestCaptureTime(transceiver);
        await this.#connection.setLocalDescription();
        const answer = this.#connection.localDescription;
        if (answer) this.send({ description: answer.toJSON() });
      }
    } else if (candidate) {
      try {
        await this.#connection.addIceCandidate(candidate);
      } catch (error) {
        if (!this.#ignoring) throw error;
      }
    }
  }

  /**
   * Sends the stream at the requested size. If the size is null, nothing is sent, but the transceivers are kept for the
   * next subscription.
   *
   * @param {MediaStream} stream
   * @param {VideoSize | null} requested
   * @param {PublishedSize} published
   */
  publish(stream, requested, published) {
    this.#requested = requested;
    return this.#inTurn(async () => {
      // The participant may have left in the meantime.
      if (this.#connection.signalingState === 'closed') return;
      for (const kind of ['audio', 'video']) {
        const track = stream.getTracks().find((one) => one.kind === kind) ?? null;
        const known = this.#transceivers.get(kind);
        if (known) {
          const sent = this.#requested && track;
          if (known.sender.track !== sent) await known.sender.replaceTrack(sent);
          known.direction = sent ? 'sendonly' : 'inactive';
          await this.#setEncoding(known.sender, published);
        } else if (track && this.#requested) {
          this.#transceivers.set(kind, this.#addTrack(track, stream, this.#requested, published));
        }
      }
    });
  }

  /** @param {MediaStreamTrack} track @param {MediaStream} stream @param {VideoSize} requested @param {PublishedSize} published */
  #addTrack(track, stream, requested, published) {
    const encoding =
      track.kind === 'video' ? videoEncoding(requested, published()) : { maxBitrate: AUDIO_BITS };
    const transceiver = this.#connection.addTransceiver(track, {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: [encoding],
    });
    requestCaptureTime(transceiver);
    return transceiver;
  }

  /**
   * Changes the senders one at a time, since Chrome rejects parameters that were read before another change (fact 17).
   */
  #inTurn = createQueue();

  /** @param {RTCRtpSender} sender @param {PublishedSize} published */
  async #setEncoding(sender, published) {
    for (let tries = 1; sender.track?.kind === 'video' && this.#requested; tries += 1) {
      const parameters = sender.getParameters();
      const [encoding] = parameters.encodings;
      // Until the first negotiation has ended, there is nothing to change: the encodings passed to addTransceiver
      // apply.
      if (!encoding) return;
      Object.assign(encoding, videoEncoding(this.#requested, published()));
      try {
        await sender.setParameters(parameters);
        return;
      } catch (error) {
        // A negotiation changed the parameters after they were read (fact 17).
        if (tries === TRIES) throw error;
        await pause(RETRY_AFTER);
      }
    }
  }

  /** @param {MediaStreamTrack} old @param {MediaStreamTrack} fresh */
  replace(old, fresh) {
    return this.#inTurn(async () => {
      const sender = this.#transceivers.get(fresh.kind)?.sender;
      if (sender?.track === old) await sender.replaceTrack(fresh);
    });
  }

  travelTimes() {
    return travelTimesOf(this.#connection.getReceivers());
  }

  stats() {
    return this.#connection.getStats();
  }

  /** Restarts ICE at once if the connection is broken, since WebRTC itself waits for about 15 s. */
  reconnect() {
    if (this.#connection.connectionState === 'disconnected') this.#connection.restartIce();
  }

  close() {
    this.#playback.close();
    this.#connection.close();
  }
}

/**
 * Emits TransportEvents.
 *
 * @extends {Emitter<TransportEvents>}
 * @implements {Transport}
 */
export class Mesh extends Emitter {
  /** @type {Map<string, Peer>} */
  #peers = new Map();
  /** The video size that each participant requests from us. @type {Map<string, VideoSize | null>} */
  #requested = new Map();
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {PublishedSize} */
  #published = () => ({ width: 0, height: 0, frameRate: 0 });

  /**
   * @param {object} options
   * @param {string} options.id ours
   * @param {RTCConfiguration} options.configuration
   * @param {(to: string, data: SignalData) => void} options.send
   */
  constructor({ id, configuration, send }) {
    super();
    this.id = id;
    this.configuration = configuration;
    this.send = send;
  }

  /**
   * Returns our own marker unchanged, since our server knows all participants in a mesh and has chosen a unique marker.
   *
   * @param {Entrant} entrant
   */
  enter({ marker }) {
    return Promise.resolve(marker);
  }

  subscribe() {
    // Nothing to do: in a mesh, the server forwards the message to the other participants.
  }

  announce() {
    // Nothing to do, for the same reason as in subscribe().
  }

  /** Sends our stream to every subscriber. @param {MediaStream} stream @param {PublishedSize} published */
  async publish(stream, published) {
    this.#stream = stream;
    this.#published = published;
    await this.refit();
  }

  /**
   * Sets the video size that a participant requests from us; pass null if the participant no longer subscribes.
   *
   * @param {string} id
   * @param {VideoSize | null} size
   */
  async setRequestedSize(id, size) {
    this.#requested.set(id, size);
    if (!size && !this.#peers.has(id)) return;
    if (this.#stream) await this.#peer(id).publish(this.#stream, size, this.#published);
  }

  /** Adapts all senders after the size of the published video has changed. */
  async refit() {
    await Promise.all([...this.#requested].map(([id, size]) => this.setRequestedSize(id, size)));
  }

  /** @param {string} from @param {SignalData} data */
  async handleSignal(from, data) {
    await this.#peer(from).handleSignal(data);
  }

  /** @param {MediaStreamTrack} old @param {MediaStreamTrack} fresh */
  async replaceTrack(old, fresh) {
    await Promise.all([...this.#peers.values()].map((peer) => peer.replace(old, fresh)));
  }

  /** @param {string} id */
  remove(id) {
    this.#peers.get(id)?.close();
    this.#peers.delete(id);
    this.#requested.delete(id);
  }

  /**
   * Returns how long a participant's video and audio take to arrive, in ms. Each of these travel times includes the
   * unknown difference between the sender's clock and our clock, so only the difference between the two travel times is
   * exact.
   *
   * @param {string} id
   */
  travelTimes(id) {
    return this.#peers.get(id)?.travelTimes() ?? {};
  }

  /** @param {string} id */
  resumePlayback(id) {
    this.#peers.get(id)?.resumePlayback();
  }

  /** Returns the statistics for the connection to a participant. @param {string} id */
  async stats(id) {
    return (await this.#peers.get(id)?.stats()) ?? null;
  }

  /** Restores all connections that were broken by a network failure. */
  reconnect() {
    for (const peer of this.#peers.values()) peer.reconnect();
  }

  close() {
    for (const id of [...this.#peers.keys()]) this.remove(id);
  }

  /** @param {string} id */
  #peer(id) {
    const known = this.#peers.get(id);
    if (known) return known;
    const peer = new Peer({
      polite: this.id < id,
      configuration: this.configuration,
      send: (data) => this.send(id, data),
      onTrack: (track) => this.emit('track', { id, track }),
      onState: (state) => this.emit('state', { id, state }),
    });
    this.#peers.set(id, peer);
    return peer;
  }
}
