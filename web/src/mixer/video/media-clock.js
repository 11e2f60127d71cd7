/** MediaClock: calculates when each of a participant's frames was captured, in ms on the sender's clock. */

/** RTP's video clock is a 32-bit counter that advances by 90 per millisecond. */
const RTP_PER_MS = 90;

/** The clock for one stream of frames. */
export class MediaClock {
  /** The last frame's RTP time, extended beyond 32 bits. @type {number | null} */
  #rtp = null;

  /**
   * Returns the time on the sender's clock for a frame that arrived over WebRTC, and the frame's own timestamp
   * otherwise.
   *
   * @param {VideoFrame} frame
   */
  read(frame) {
    // Chrome fact 15: only frames that arrived over WebRTC have an RTP time. The other timestamps of these frames
    // can't be used.
    const { rtpTimestamp } = frame.metadata();
    if (rtpTimestamp === undefined) return frame.timestamp / 1000;
    // Bitwise operators convert the difference to a signed 32-bit number, which covers 6.6 hours in either direction.
    this.#rtp = this.#rtp === null ? rtpTimestamp : this.#rtp + ((rtpTimestamp - this.#rtp) | 0);
    return this.#rtp / RTP_PER_MS;
  }
}
