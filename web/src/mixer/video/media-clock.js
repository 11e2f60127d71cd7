/** MediaClock: reads when a participant's frames were captured, in ms on the sender's clock. */

/** RTP's video clock counts 90 ticks per millisecond, in 32 bits. */
const RTP_PER_MS = 90;

/** The clock of one stream of frames. */
export class MediaClock {
  /** The RTP time of the last frame, extended beyond 32 bits. @type {number | null} */
  #rtp = null;

  /**
   * Returns the sender's time if the frame arrived over WebRTC, otherwise the frame's own time.
   *
   * @param {VideoFrame} frame
   */
  read(frame) {
    // Chrome fact 15: only frames that arrived over WebRTC have an RTP time, and their other times are not usable.
    const { rtpTimestamp } = frame.metadata();
    if (rtpTimestamp === undefined) return frame.timestamp / 1000;
    // Bit operators convert the difference to a signed 32-bit number, which covers 6.6 hours in either direction.
    this.#rtp = this.#rtp === null ? rtpTimestamp : this.#rtp + ((rtpTimestamp - this.#rtp) | 0);
    return this.#rtp / RTP_PER_MS;
  }
}
