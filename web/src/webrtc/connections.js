/** Connections: reads properties of a peer connection from its session descriptions and transceivers. */

/**
 * Returns the fingerprint of the certificate in a session description, or null if there is none.
 *
 * @param {RTCSessionDescription | null} description
 */
export const fingerprintOf = (description) =>
  /^a=fingerprint:(\S+ \S+)/m.exec(description?.sdp ?? '')?.[1]?.toUpperCase() ?? null;

/** Returns whether a transceiver with this direction receives media. @param {RTCRtpTransceiverDirection | null} direction */
export const receives = (direction) => direction === 'recvonly' || direction === 'sendrecv';
