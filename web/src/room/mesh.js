/** A mesh of peer connections, one to each member that sends to us or wants to receive us. */

/** Bits a second for a sent picture: generous, since the recording should show what the camera saw. */
const BITS_PER_PIXEL = 0.16;
const LEAST_BITS = 400_000;
const AUDIO_BITS = 64_000;

/** How long to wait for the first candidate before an offer is taken back, in ms. */
const GATHERED_WITHIN = 1000;
/** How often encodings are set anew when a negotiation came in between, and after how long, in ms. */
const FITS = 20;
const FIT_AGAIN = 50;

/** With it every packet says when its picture or sound was taken (a Chrome extension, off unless asked for). */
const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';
/** How old the capture time of the last packet may be, in ms: what is older is of an earlier subscription. */
const FRESH = 500;
/** Milliseconds from the beginning of 1900, NTP's, to that of 1970, Unix's. */
const NTP_EPOCH = 2_208_988_800_000;

/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How large the published picture is. @typedef {() => PictureSize} PublishedSize */

/** One connection: perfect negotiation, our tracks where they are wanted, theirs as they come. */
class Peer {
  #connection;
  #polite;
  #offering = false;
  #ignoring = false;
  /** @type {PromiseWithResolvers<void>} */
  #gathered = Promise.withResolvers();
  /** @type {Promise<void>} */
  #handling = Promise.resolve();
  /** What carries our sound and our picture, by kind: one each, since each more stays in the connection for good. @type {Map<string, RTCRtpTransceiver>} */
  #transceivers = new Map();
  /** @type {PictureSize | null} */
  #wanted = null;
  /** Chrome fact 6: remote sound comes only while a media element plays it, and be it muted. */
  #playing = new Audio();

  /**
   * @param {object} options
   * @param {boolean} options.polite gives way when both offer at once
   * @param {RTCIceServer[]} options.iceServers
   * @param {(data: SignalData) => void} options.send
   * @param {(track: MediaStreamTrack) => void} options.onTrack
   * @param {(state: RTCPeerConnectionState) => void} options.onState
   */
  constructor({ polite, iceServers, send, onTrack, onState }) {
    this.#polite = polite;
    this.send = send;
    const connection = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    this.#connection = connection;
    connection.addEventListener('negotiationneeded', () => void this.#offer());
    connection.addEventListener('icecandidate', ({ candidate }) => {
      this.#gathered.resolve();
      if (candidate) send({ candidate: candidate.toJSON() });
    });
    this.#playing.muted = true;
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
    this.#playing.srcObject = new MediaStream([track]);
    this.rouse();
    track.addEventListener('mute', () => (this.#playing.srcObject = null), { once: true });
  }

  /** Plays again what stopped together with the sound system. */
  rouse() {
    this.#playing.load();
    this.#playing.play().catch(() => undefined);
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
    const turn = this.#handling.then(() => this.#handle(data));
    this.#handling = turn.catch(() => undefined);
    return turn;
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
   * @param {PictureSize | null} wanted
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

  /** @param {MediaStreamTrack} track @param {MediaStream} stream @param {PictureSize} wanted @param {PublishedSize} published */
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

  /** One change of the senders at a time: Chrome refuses parameters that were read before another change (fact 17). @type {Promise<void>} */
  #changing = Promise.resolve();

  /** @param {() => Promise<void>} change */
  #inTurn(change) {
    const turn = this.#changing.then(change);
    this.#changing = turn.catch(() => undefined);
    return turn;
  }

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

  /** How long the last picture and sound took from their capture into their track, ms; none where nothing says so, or nothing comes. */
  travel() {
    /** @type {Partial<Record<string, number>>} */
    const took = {};
    const now = performance.timeOrigin + performance.now();
    for (const receiver of this.#connection.getReceivers()) {
      const [source] = /** @type {(RTCRtpSynchronizationSource & {captureTimestamp?: number})[]} */ (
        receiver.getSynchronizationSources()
      );
      if (source?.captureTimestamp === undefined || now - source.timestamp > FRESH) continue;
      took[receiver.track.kind] = source.timestamp - (source.captureTimestamp - NTP_EPOCH);
    }
    return took;
  }

  stats() {
    return this.#connection.getStats();
  }

  /** Looks for another way at once where the one there was is gone: WebRTC itself waits for some 15 s. */
  revive() {
    if (this.#connection.connectionState === 'disconnected') this.#connection.restartIce();
  }

  close() {
    this.#playing.srcObject = null;
    this.#connection.close();
  }
}

/**
 * Asks for the capture time in every packet of a transceiver, before it is negotiated; other browsers can't.
 *
 * @param {RTCRtpTransceiver & {
 *   getHeaderExtensionsToNegotiate?: () => {uri: string, direction: string}[],
 *   setHeaderExtensionsToNegotiate?: (extensions: {uri: string, direction: string}[]) => void,
 * }} transceiver
 */
function wantCaptureTime(transceiver) {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.() ?? [];
  for (const extension of extensions) if (extension.uri === CAPTURE_TIME) extension.direction = 'sendrecv';
  if (extensions.length) transceiver.setHeaderExtensionsToNegotiate?.(extensions);
}

/** @param {PictureSize} wanted @param {PictureSize} published @returns {RTCRtpEncodingParameters} */
function videoEncoding(wanted, published) {
  const scale = Math.max(1, published.width / wanted.width, published.height / wanted.height);
  const pixels = (published.width / scale) * (published.height / scale);
  return {
    scaleResolutionDownBy: scale,
    maxFramerate: wanted.frameRate,
    maxBitrate: Math.max(LEAST_BITS, Math.round(pixels * wanted.frameRate * BITS_PER_PIXEL)),
  };
}

/** Emits `track` with { id, track } and `state` with { id, state }. */
export class Mesh extends EventTarget {
  /** @type {Map<string, Peer>} */
  #peers = new Map();
  /** @type {Map<string, PictureSize | null>} */
  #wanted = new Map();
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {PublishedSize} */
  #published = () => ({ width: 0, height: 0, frameRate: 0 });

  /**
   * @param {object} options
   * @param {string} options.id ours
   * @param {RTCIceServer[]} options.iceServers
   * @param {(to: string, data: SignalData) => void} options.send
   */
  constructor({ id, iceServers, send }) {
    super();
    this.id = id;
    this.iceServers = iceServers;
    this.send = send;
  }

  /** Gives what we send to whoever wants it. @param {MediaStream} stream @param {PublishedSize} published */
  async publish(stream, published) {
    this.#stream = stream;
    this.#published = published;
    await this.refit();
  }

  /** A member wants to receive us at this size, or no more. @param {string} id @param {PictureSize | null} size */
  async setWanted(id, size) {
    this.#wanted.set(id, size);
    if (!size && !this.#peers.has(id)) return;
    if (this.#stream) await this.#peer(id).publish(this.#stream, size, this.#published);
  }

  /** Tells every sender how large the published picture is now. */
  async refit() {
    await Promise.all([...this.#wanted].map(([id, size]) => this.setWanted(id, size)));
  }

  /** @param {string} from @param {SignalData} data */
  async handle(from, data) {
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
  travel(id) {
    return this.#peers.get(id)?.travel() ?? {};
  }

  /** Plays what comes from a member again, after the sound system stood still. @param {string} id */
  rouse(id) {
    this.#peers.get(id)?.rouse();
  }

  /** Returns the statistics of the connection to a member. @param {string} id */
  async stats(id) {
    return (await this.#peers.get(id)?.stats()) ?? null;
  }

  /** Takes connections up again that a cut of the network broke. */
  revive() {
    for (const peer of this.#peers.values()) peer.revive();
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
      iceServers: this.iceServers,
      send: (data) => this.send(id, data),
      onTrack: (track) => this.dispatchEvent(new CustomEvent('track', { detail: { id, track } })),
      onState: (state) => this.dispatchEvent(new CustomEvent('state', { detail: { id, state } })),
    });
    this.#peers.set(id, peer);
    return peer;
  }
}
