/**
 * Clocks: the page's clock, and an estimate of the room's clock, which is the server's monotonic clock.
 *
 * Like every module in shared/, this module imports nothing from outside shared/, and any module may import it.
 */

/** Returns the time on the page's clock, in ms. The page's clock is the same in the window and its workers. */
export const pageNow = () => performance.timeOrigin + performance.now();

/** Estimates the room's clock from the ping with the shortest round trip. */
export class RoomClock {
  /** The room's clock minus the page's clock, in ms. */
  offset = 0;
  /** Maximum error of `offset`, in ms: half the shortest round trip. */
  error = Number.POSITIVE_INFINITY;

  /**
   * @param {number} sent when the ping was sent, on the page's clock
   * @param {number} answered when the server answered, on the room's clock
   * @param {number} received when the answer arrived, on the page's clock
   * @returns {boolean} whether whether the estimate has improved
   */
  update(sent, answered, received) {
    const error = (received - sent) / 2;
    if (error >= this.error) return false;
    this.offset = answered - (sent + received) / 2;
    this.error = error;
    return true;
  }

  /**
   * Returns the time on the room's clock, in ms.
   *
   * @param {number} [page] the time to convert, on the page's clock; by default, the current time
   */
  room(page = pageNow()) {
    return page + this.offset;
  }
}
