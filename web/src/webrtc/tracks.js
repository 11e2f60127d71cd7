/**
 * Tracks: helpers for sending and receiving tracks, in our own room and in other applications.
 *
 * Input: the tracks, senders, receivers and transceivers of peer connections. Output: sizes, encodings, statistics and
 * muted playback. The modules in room/, application/ and media/ use these helpers for tracks.
 */

/**
 * Bitrate of the video that we send, in bits per pixel per frame. The bitrate is generous, so that the recording has
 * the camera's quality.
 */
const BITS_PER_PIXEL = 0.16;
const LEAST_BITS = 400_000;
export const AUDIO_BITS = 64_000;

/**
 * The URI of the RTP header extension that adds the capture time to every packet. Chrome disables this extension by
 * default.
 */
const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';
/** Maximum age of the last packet's capture time, in ms. An older time belongs to an earlier subscription. */
const FRESH = 500;
/** Milliseconds from the NTP epoch (1900) to the Unix epoch (1970). */
const NTP_EPOCH = 2_208_988_800_000;

/**
 * Returns the video size of a device's stream, as reported by the track's settings.
 *
 * @param {MediaStream} stream
 * @returns {VideoSize}
 */
export function videoSizeOf(stream) {
  const { width = 1280, height = 720, frameRate = 30 } = stream.getVideoTracks()[0]?.getSettings() ?? {};
  return { width, height, frameRate };
}

/** Plays a track in a muted media element, since remote audio flows only while an element plays it (Chrome fact 6). */
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

  /** Restarts playback after the audio system was suspended. */
  resumePlayback() {
    this.#element.load();
    this.#element.play().catch(() => undefined);
  }

  close() {
    this.#element.srcObject = null;
  }
}

/** Returns WebRTC's statistics for these tracks as one report. @param {RTCRtpReceiver[]} receivers */
export async function statisticsOf(receivers) {
  const reports = await Promise.all(receivers.map((receiver) => receiver.getStats()));
  return /** @type {RTCStatsReport} */ (
    /** @type {unknown} */ (new Map(reports.flatMap((report) => [...report.entries()])))
  );
}

/**
 * Returns the latest delay from capture to arrival, in ms, for video and for audio. The delay of video or audio is
 * omitted if the packets contain no capture time, or if no packets arrive.
 *
 * @param {RTCRtpReceiver[]} receivers
 */
export function travelTimesOf(receivers) {
  /** @type {Partial<Record<string, number>>} */
  const times = {};
  const now = performance.timeOrigin + performance.now();
  for (const receiver of receivers) {
    const [source] = /** @type {(RTCRtpSynchronizationSource & {captureTimestamp?: number})[]} */ (
      receiver.getSynchronizationSources()
    );
    if (source?.captureTimestamp === undefined || now - source.timestamp > FRESH) continue;
    times[receiver.track.kind] = source.timestamp - (source.captureTimestamp - NTP_EPOCH);
  }
  return times;
}

/**
 * Requests the capture time in every packet of a transceiver. Only Chrome supports requesting the capture time. Call
 * this function before the negotiation.
 *
 * @param {RTCRtpTransceiver} transceiver
 */
export function requestCaptureTime(transceiver) {
  const extensions = transceiver.getHeaderExtensionsToNegotiate?.() ?? [];
  for (const extension of extensions) if (extension.uri === CAPTURE_TIME) extension.direction = 'sendrecv';
  if (extensions.length) transceiver.setHeaderExtensionsToNegotiate?.(extensions);
}

/**
 * Returns the encoding parameters for sending the published video at the requested size.
 *
 * @param {VideoSize} requested
 * @param {VideoSize} published
 * @returns {RTCRtpEncodingParameters}
 */
export function videoEncoding(requested, published) {
  const scale = Math.max(1, published.width / requested.width, published.height / requested.height);
  const pixels = (published.width / scale) * (published.height / scale);
  return {
    scaleResolutionDownBy: scale,
    maxFramerate: requested.frameRate,
    maxBitrate: Math.max(LEAST_BITS, Math.round(pixels * requested.frameRate * BITS_PER_PIXEL)),
  };
}
