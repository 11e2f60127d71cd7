/**
 * What WebRTC itself says of a connection: the part of getStats that tells how picture and sound travelled.
 *
 * Names and units are those of the W3C (https://www.w3.org/TR/webrtc-stats/): times in seconds, sizes in bytes.
 */

/** The kinds that are kept, and what of each. @type {Record<string, string[]>} */
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

/** Returns what is kept of getStats' answer, the pair of candidates in use without its rivals. @param {RTCStatsReport | null} [stats] @returns {Statistic[]} */
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

/** How much later sound arrives than its picture, in ms; null where WebRTC does not know. @param {RTCStatsReport} stats */
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

/** Whether what somebody sends has been decoded here. @param {RTCStatsReport} stats @param {{audio: boolean, video: boolean}} sent */
export function isReceiving(stats, sent) {
  let picture = !sent.video;
  let sound = !sent.audio;
  for (const report of entries(stats)) {
    if (report['type'] !== 'inbound-rtp') continue;
    if (report['kind'] === 'video' && Number(report['framesDecoded']) > 0) picture = true;
    if (report['kind'] === 'audio' && Number(report['packetsReceived']) > 0) sound = true;
  }
  return picture && sound;
}

/** @param {RTCStatsReport} stats */
const entries = (stats) =>
  /** @type {Map<string, Record<string, unknown>>} */ (/** @type {unknown} */ (stats)).values();
