/** A mesh of peer connections, one to each member that sends to us or wants to receive us. */

import { Emitter } from '../../shared/events.js';
import { pause } from '../../shared/pause.js';
import { createQueue } from '../../shared/queue.js';
import {
  AUDIO_BITS,
  MutedPlayback,
  travelTimesOf,
  videoEncoding,
  wantCaptureTime,
} from '../../webrtc/tracks.js';

/** How long to wait for the first candidate before an offer is taken back, in ms. */
const GATHERED_WITHIN = 1000;
/** How often encodings are set anew when a negotiation came in between, and after how long, in ms. */
const FITS = 20;
const FIT_AGAIN = 50;

/** One connection: perfect negotiation, our tracks where they are wanted, theirs as they come. */
class Peer {
  #connection;
  #polite;
  #offering = false;
  #ignoring = false;
  /** @type {PromiseWithResolvers<void>} */
  #gathered = Promise.withResolvers();
  #handling = createQueue();
  /** What carries our sound and our picture, by kind: one each, since each more stays in the connection for good. @type {Map<string, RTCRtpTransceiver>} */
  #transceivers = new Map();
  /** @type {VideoSize | null} */
  #wanted = null;
  #playback = new MutedPlayback();

  /**
   * @param {object} options
   * @param {boolean} options.polite gives way when both offer at once
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
      if (track.kind === 'audio') this.#play(track);
      onTrack(track);
    });
    connection.addEventListener('connectionstatechange', () => {
      if (connection.connectionState === 'failed') connection.restartIce();
      onState(connection.connectionState);
    });
  }

  /** Plays a sound from its first packet on: WebRTC keeps what comes before that, and catches up for seconds. @param {MediaStreamTrack} track */
  #play(track) {
    this.#playback.play(track);
    track.addEventListener('mute', () => this.#playback.close(), { once: true });
  }

  /** Plays again what stopped together with the sound system. */
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

  /** Takes what the other side signalled, in order: an offer that overtook the answer before it would be ignored. @param {SignalData} data */
  handle(data) {
    return this.#handling(() => this.#handle(data));
  }

  /** @param {SignalData} data */
  async #handle({ description, candidate }) {
    if (description) {
      const collision =
        description.type === 'offer' && (this.#offering || this.#connection.signalingState !== 'stable');
      this.#ignoring = !this.#polite && collision;
      if (this.#ignoring) return;
      // An offer taken back before its first candidate leaves Chrome without any candidate ever after.
      if (collision) await Promise.race([this.#gathered.promise, pause(GATHERED_WITHIN)]);
      await this.#connection.setRemoteDescription(description);
      if (description.type === 'offer') {
        for (const transceiver of this.#connection.getTransceivers()) wantCaptureTime(transceiver);
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
   * Sends the stream at the wanted size; null sends nothing, and what carried it rests until it is wanted again.
   *
   * @param {MediaStream} stream
   * @param {VideoSize | null} wanted
   * @param {PublishedSize} published
   */
  publish(stream, wanted, published) {
    this.#wanted = wanted;
    return this.#inTurn(async () => {
      // Whoever left meanwhile wants nothing any more.
      if (this.#connection.signalingState === 'closed') return;
      for (const kind of ['audio', 'video']) {
        const track = stream.getTracks().find((one) => one.kind === kind) ?? null;
        const known = this.#transceivers.get(kind);
        if (known) {
          const sent = this.#wanted && track;
          if (known.sender.track !== sent) await known.sender.replaceTrack(sent);
          known.direction = sent ? 'sendonly' : 'inactive';
          await this.#setEncoding(known.sender, published);
        } else if (track && this.#wanted) {
          this.#transceivers.set(kind, this.#add(track, stream, this.#wanted, published));
        }
      }
    });
  }

  /** @param {MediaStreamTrack} track @param {MediaStream} stream @param {VideoSize} wanted @param {PublishedSize} published */
  #add(track, stream, wanted, published) {
    const encoding = track.kind === 'video' ? videoEncoding(wanted, published()) : { maxBitrate: AUDIO_BITS };
    const transceiver = this.#connection.addTransceiver(track, {
      direction: 'sendonly',
      streams: [stream],
      sendEncodings: [encoding],
    });
    wantCaptureTime(transceiver);
    return transceiver;
  }

  /** One change of the senders at a time: Chrome refuses parameters that were read before another change (fact 17). */
  #inTurn = createQueue();

  /** @param {RTCRtpSender} sender @param {PublishedSize} published */
  async #setEncoding(sender, published) {
    for (let tries = 1; sender.track?.kind === 'video' && this.#wanted; tries += 1) {
      const parameters = sender.getParameters();
      const [encoding] = parameters.encodings;
      // Before the first negotiation ends there is nothing to change yet; what addTransceiver was given holds.
      if (!encoding) return;
      Object.assign(encoding, videoEncoding(this.#wanted, published()));
      try {
        await sender.setParameters(parameters);
        return;
      } catch (error) {
        // A negotiation under way changed the parameters after they were read (fact 17).
        if (tries === FITS) throw error;
        await pause(FIT_AGAIN);
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

  /** Looks for another way at once where the one there was is gone: WebRTC itself waits for some 15 s. */
  reconnect() {
    if (this.#connection.connectionState === 'disconnected') this.#connection.restartIce();
  }

  close() {
    this.#playback.close();
    this.#connection.close();
  }
}

/**
 * Emits `track` with { id, track } and `state` with { id, state }.
 *
 * @extends {Emitter<TransportEvents>}
 * @implements {Transport}
 */
export class Mesh extends Emitter {
  /** @type {Map<string, Peer>} */
  #peers = new Map();
  /** @type {Map<string, VideoSize | null>} */
  #wanted = new Map();
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

  /** Nobody is there whom our server does not know: our number is ours. @param {Entrant} who */
  enter({ marker }) {
    return Promise.resolve(marker);
  }

  subscribe() {
    // The others hear it by our server.
  }

  announce() {
    // The others hear it by our server.
  }

  /** Gives what we send to whoever wants it. @param {MediaStream} stream @param {PublishedSize} published */
  async publish(stream, published) {
    this.#stream = stream;
    this.#published = published;
    await this.refit();
  }

  /** A member wants to receive us at this size, or no more. @param {string} id @param {VideoSize | null} size */
  async setRequestedSize(id, size) {
    this.#wanted.set(id, size);
    if (!size && !this.#peers.has(id)) return;
    if (this.#stream) await this.#peer(id).publish(this.#stream, size, this.#published);
  }

  /** Tells every sender how large the published picture is now. */
  async refit() {
    await Promise.all([...this.#wanted].map(([id, size]) => this.setRequestedSize(id, size)));
  }

  /** @param {string} from @param {SignalData} data */
  async handleSignal(from, data) {
    await this.#peer(from).handle(data);
  }

  /** @param {MediaStreamTrack} old @param {MediaStreamTrack} fresh */
  async replaceTrack(old, fresh) {
    await Promise.all([...this.#peers.values()].map((peer) => peer.replace(old, fresh)));
  }

  /** @param {string} id */
  remove(id) {
    this.#peers.get(id)?.close();
    this.#peers.delete(id);
    this.#wanted.delete(id);
  }

  /** How long a member's picture and sound travel, in ms by kind; on the sender's clock against ours, so only their difference counts. @param {string} id */
  travelTimes(id) {
    return this.#peers.get(id)?.travelTimes() ?? {};
  }

  /** Plays what comes from a member again, after the sound system stood still. @param {string} id */
  resumePlayback(id) {
    this.#peers.get(id)?.resumePlayback();
  }

  /** Returns the statistics of the connection to a member. @param {string} id */
  async stats(id) {
    return (await this.#peers.get(id)?.stats()) ?? null;
  }

  /** Takes connections up again that a cut of the network broke. */
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
