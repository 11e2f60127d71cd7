/**
 * Clocks: the page's clock, and an estimate of the room's clock, which is the server's monotonic clock.
 *
 * Like every module in shared/, this module imports nothing from outside shared/, and any module may import it.
 */

/** Returns the page time in ms, which is the same in the window and its workers. */
export const pageNow = () => performance.timeOrigin + performance.now();

/** Estimates the room's clock from the ping with the shortest round trip. */
export class RoomClock {
  /** Room time minus page time, in ms. */
  offset = 0;
  /** Maximum error of `offset`, in ms: half the shortest round trip. */
  error = Number.POSITIVE_INFINITY;

  /**
   * @param {number} sent page time at which the ping was sent
   * @param {number} answered room time at which the server answered
   * @param {number} received page time at which the answer arrived
   * @returns {boolean} whether whether the estimate has improved
   */
  update(sent, answered, received) {
    const error = (received - sent) / 2;
    if (error >= this.error) return false;
    this.offset = answered - (sent + received) / 2;
    this.error = error;
    return true;
  }

  /** Returns the room time in ms. @param {number} [page] the page time to convert; by default, the current time */
  room(page = pageNow()) {
    return page + this.offset;
  }
}
