/**
 * What WebRTC itself says of a connection: the part of getStats that tells how picture and sound travelled.
 *
 * Names and units are those of the W3C (https://www.w3.org/TR/webrtc-stats/): times in seconds, sizes in bytes.
 */

/** The kinds that are kept, and what of each. @type {Record<string, string[]>} */
const KEPT = {
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
export function kept(stats) {
  /** @type {Statistic[]} */
  const found = [];
  for (const one of /** @type {Iterable<Statistic>} */ (stats?.values() ?? [])) {
    const names = KEPT[String(one['type'])];
    if (!names || ('nominated' in one && !one['nominated'])) continue;
    found.push(
      Object.fromEntries(Object.entries(one).filter(([name]) => name === 'type' || names.includes(name))),
    );
  }
  return found;
}
