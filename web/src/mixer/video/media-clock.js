/** MediaClock: the time at which a participant's frames were captured, in ms on the sender's clock. */

/** RTP's clock for video counts 90 a millisecond, in 32 bits. */
const RTP_PER_MS = 90;

/** One for each stream of frames. */
export class MediaClock {
  /** The last frame's RTP time, continued where 32 bits wrap around. @type {number | null} */
  #rtp = null;

  /** Returns the sender's time if the frame came over WebRTC, otherwise the frame's own. @param {VideoFrame} frame */
  read(frame) {
    // Chrome fact 15: only frames that came over WebRTC carry it, and they have no other usable time.
    const { rtpTimestamp } = frame.metadata();
    if (rtpTimestamp === undefined) return frame.timestamp / 1000;
    // Bit operators turn the difference into a signed one of 32 bits: at most 6.6 hours in either direction.
    this.#rtp = this.#rtp === null ? rtpTimestamp : this.#rtp + ((rtpTimestamp - this.#rtp) | 0);
    return this.#rtp / RTP_PER_MS;
  }
}
