/** The clock by which a participant's frames were made, in ms. */

/** RTP's clock for video counts 90 a millisecond, in 32 bits. */
const RTP_PER_MS = 90;

/** One for each stream of frames. */
export class MediaClock {
  /** The last frame's RTP time, counted on where 32 bits wrap. @type {number | null} */
  #rtp = null;

  /** Returns the sender's time where the frame came over WebRTC, else the frame's own. @param {VideoFrame} frame */
  read(frame) {
    // Chrome fact 15: frames that came over WebRTC carry it, and nothing else of them is a clock.
    const { rtpTimestamp } = frame.metadata();
    if (rtpTimestamp === undefined) return frame.timestamp / 1000;
    // Bit operators make of the difference a signed one of 32 bits: at most 6.6 hours, either way.
    this.#rtp = this.#rtp === null ? rtpTimestamp : this.#rtp + ((rtpTimestamp - this.#rtp) | 0);
    return this.#rtp / RTP_PER_MS;
  }
}
