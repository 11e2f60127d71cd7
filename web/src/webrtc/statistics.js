/**
 * WebRTC's statistics for a connection: the part of the getStats report that describes how video and audio are
 * transported.
 *
 * The W3C defines the names and units (https://www.w3.org/TR/webrtc-stats/): times are in seconds, and sizes in bytes.
 */

/**
 * The kinds of statistics that we read, and the fields that we read from each kind.
 *
 * @type {Record<string, string[]>}
 */
const SELECTED = {
  'inbound-rtp': [
    'kind',
    'bytesReceived',
    'packetsReceived',
    'packetsLost',
    'jitter',
    'jitterBufferDelay',
    'jitterBufferEmittedCount',
    'nackCount',
    'pliCount',
    'framesDecoded',
    'framesDropped',
    'frameWidth',
    'frameHeight',
    'freezeCount',
    'concealedSamples',
    'totalSamplesReceived',
  ],
  'outbound-rtp': [
    'kind',
    'bytesSent',
    'packetsSent',
    'retransmittedPacketsSent',
    'framesEncoded',
    'frameWidth',
    'frameHeight',
    'qualityLimitationReason',
  ],
  'remote-inbound-rtp': ['kind', 'packetsLost', 'jitter', 'roundTripTime'],
  'candidate-pair': ['currentRoundTripTime', 'availableOutgoingBitrate', 'bytesSent', 'bytesReceived'],
};

/**
 * Returns the selected fields; only the active candidate pair is included.
 *
 * @param {RTCStatsReport | null} [stats]
 * @returns {Statistic[]}
 */
export function selectStatistics(stats) {
  /** @type {Statistic[]} */
  const found = [];
  for (const one of /** @type {Iterable<Statistic>} */ (stats?.values() ?? [])) {
    const names = SELECTED[String(one['type'])];
    if (!names || ('nominated' in one && !one['nominated'])) continue;
    found.push(
      Object.fromEntries(Object.entries(one).filter(([name]) => name === 'type' || names.includes(name))),
    );
  }
  return found;
}

/**
 * Returns how much later the audio arrives than the video, in ms, or null if WebRTC doesn't know.
 *
 * @param {RTCStatsReport} stats
 */
export function skewOf(stats) {
  /** @type {Record<string, number>} */
  const playout = {};
  for (const report of entries(stats)) {
    const at = report['estimatedPlayoutTimestamp'];
    if (report['type'] === 'inbound-rtp' && typeof at === 'number') playout[String(report['kind'])] = at;
  }
  const { video, audio } = playout;
  return video === undefined || audio === undefined ? null : video - audio;
}

/**
 * Returns whether we have decoded every kind of media that a participant sends.
 *
 * @param {RTCStatsReport} stats
 * @param {{audio: boolean, video: boolean}} sent
 */
export function isReceiving(stats, sent) {
  let video = !sent.video;
  let audio = !sent.audio;
  for (const report of entries(stats)) {
    if (report['type'] !== 'inbound-rtp') continue;
    if (report['kind'] === 'video' && Number(report['framesDecoded']) > 0) video = true;
    if (report['kind'] === 'audio' && Number(report['packetsReceived']) > 0) audio = true;
  }
  return video && audio;
}

/**
 * Returns a number that grows whenever anything arrives on a connection, even if it is only an ICE check.
 *
 * @param {RTCStatsReport} stats
 */
export function arrivalsOf(stats) {
  let count = 0;
  for (const report of entries(stats)) {
    if (report['type'] !== 'candidate-pair') continue;
    for (const field of ['bytesReceived', 'requestsReceived', 'responsesReceived'])
      count += Number(report[field] ?? 0);
  }
  return count;
}

/** @param {RTCStatsReport} stats */
const entries = (stats) =>
  /** @type {Map<string, Record<string, unknown>>} */ (/** @type {unknown} */ (stats)).values();
