/**
 * Clocks: the page's own, and the room's (the server's monotonic clock), which is estimated over signaling.
 *
 * Like everything in shared/, it knows no stage and imports nothing outside of shared/; everybody may import it.
 */

/** Milliseconds on the page's clock; the same in the window and its workers. */
export const pageNow = () => performance.timeOrigin + performance.now();

/** Estimates the room's clock from pings; the ping with the shortest round trip counts. */
export class RoomClock {
  /** Room time minus page time, in ms. */
  offset = 0;
  /** How far `offset` may be wrong, in ms: half the shortest round trip. */
  error = Number.POSITIVE_INFINITY;

  /**
   * @param {number} sent page time at which the ping left
   * @param {number} answered room time at which the server answered
   * @param {number} received page time at which the answer arrived
   * @returns {boolean} whether the estimate has improved
   */
  update(sent, answered, received) {
    const error = (received - sent) / 2;
    if (error >= this.error) return false;
    this.offset = answered - (sent + received) / 2;
    this.error = error;
    return true;
  }

  /** Milliseconds on the room's clock. @param {number} [page] page time, now by default */
  room(page = pageNow()) {
    return page + this.offset;
  }
}
