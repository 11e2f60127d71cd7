/** What every way of sending and receiving shares: how large and how good a picture is sent, and how a sound is kept flowing. */

/** Bits a second for a sent picture: generous, since the recording should show what the camera saw. */
const BITS_PER_PIXEL = 0.16;
const LEAST_BITS = 400_000;
export const AUDIO_BITS = 64_000;

/** With it every packet says when its picture or sound was taken (a Chrome extension, off unless asked for). */
const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';
/** How old the capture time of the last packet may be, in ms: what is older is of an earlier subscription. */
const FRESH = 500;
/** Milliseconds from the beginning of 1900, NTP's, to that of 1970, Unix's. */
const NTP_EPOCH = 2_208_988_800_000;

/** Chrome fact 6: remote sound comes only while a media element plays it, and be it muted. */
export class MutedPlayback {
  #element = new Audio();

  constructor() {
    this.#element.muted = true;
  }

  /** @param {MediaStreamTrack} track */
  play(track) {
    this.#element.srcObject = new MediaStream([track]);
    this.resumePlayback();
  }

  /** Plays again what stopped together with the sound system. */
  resumePlayback() {
    this.#element.load();
    this.#element.play().catch(() => undefined);
  }

  close() {
    this.#element.srcObject = null;
  }
}

/** What WebRTC says of these tracks, as one report. @param {RTCRtpReceiver[]} receivers */
export async function statisticsOf(receivers) {
  const reports = await Promise.all(receivers.map((receiver) => receiver.getStats()));
  return /** @type {RTCStatsReport} */ (
    /** @type {unknown} */ (new Map(reports.flatMap((report) => [...report.entries()])))
  );
}

/**
 * How long the last picture and sound took from their capture into their track, in ms by kind; none where nothing says so, or nothing comes.
 *
 * @param {RTCRtpReceiver[]} receivers
 */
export function travelTimesOf(receivers) {
  /** @type {Partial<Record<string, number>>} */
  const took = {};
  const now = performance.timeOrigin + performance.now();
  for (const receiver of receivers) {
    const [source] = /** @type {(RTCRtpSynchronizationSource & {captureTimestamp?: number})[]} */ (
      receiver.getSynchronizationSources()
    );
    if (source?.captureTimestamp === undefined || now - source.timestamp > FRESH) continue;
    took[receiver.track.kind] = source.timestamp - (source.captureTimestamp - NTP_EPOCH);
  }
  return took;
}

/**
 * Asks for the capture time in every packet of a transceiver, before it is negotiated; other browsers can't.
 *
 * @param {RTCRtpTransceiver & {
 *   getHeaderExtensionsToNegotiate?: () => {uri: string, direction: string}[],
 *   setHeaderExtensionsToNegotiate?: (extensions: {uri: string, direction: string}[]) => void,
 * }} transceiver
 */
export function wantCaptureTime(transceiver) {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.() ?? [];
  for (const extension of extensions) if (extension.uri === CAPTURE_TIME) extension.direction = 'sendrecv';
  if (extensions.length) transceiver.setHeaderExtensionsToNegotiate?.(extensions);
}

/** @param {VideoSize} wanted @param {VideoSize} published @returns {RTCRtpEncodingParameters} */
export function videoEncoding(wanted, published) {
  const scale = Math.max(1, published.width / wanted.width, published.height / wanted.height);
  const pixels = (published.width / scale) * (published.height / scale);
  return {
    scaleResolutionDownBy: scale,
    maxFramerate: wanted.frameRate,
    maxBitrate: Math.max(LEAST_BITS, Math.round(pixels * wanted.frameRate * BITS_PER_PIXEL)),
  };
}
