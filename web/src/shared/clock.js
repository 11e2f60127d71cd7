/**
 * Clocks: the page's clock, and an estimate of the room's clock, which is the server's monotonic clock.
 *
 * Like every module in shared/, this module imports nothing from outside shared/, and any module may import it.
 */

/** Matches a worker's name, which contains the difference between the wall clock and the window's clock, in ms. */
const WORKER_NAME = /^harness-clock:(-?[\d.]+)$/;
/** Smaller differences, in ms, are measurement errors, because `Date` has a resolution of 1 ms. */
const PRECISION = 3;
const READINGS = 10;

/** The window's clock minus this thread's own clock, in ms. */
const correction = correctionFor(/** @type {{name?: string}} */ (/** @type {unknown} */ (globalThis)).name);

/**
 * Returns the time on the page's clock, in ms. The page's clock is the same in the window and its workers, and is not
 * affected by changes of the wall clock.
 */
export const pageNow = () => performance.timeOrigin + performance.now() + correction;

/**
 * Returns the name for a worker, so that the worker uses the window's clock. The name is empty if a test library has
 * replaced the wall clock.
 */
export const workerName = () => (isNative(Date.now) ? `harness-clock:${wallOffset()}` : '');

/**
 * Returns the window's clock minus this thread's own clock, in ms. Chrome reads the wall clock once for each thread, to
 * calculate `timeOrigin`. If the wall clock was changed after the window was opened, `timeOrigin` of a new worker does
 * not match that of the window.
 *
 * @param {string} [name] the worker's name
 */
function correctionFor(name = '') {
  const windowOffset = WORKER_NAME.exec(name)?.[1];
  if (windowOffset === undefined) return 0;
  const difference = wallOffset() - Number(windowOffset);
  return Math.abs(difference) < PRECISION ? 0 : difference;
}

/** @param {() => unknown} call */
function isNative(call) {
  return /\[native code\]/.test(Function.prototype.toString.call(call));
}

/** Returns the wall clock minus this thread's own clock, in ms; it is 0 until the wall clock is changed. */
function wallOffset() {
  let offset = 0;
  let shortest = Number.POSITIVE_INFINITY;
  // The thread may be interrupted between two readings, so the fastest reading is used.
  for (let reading = 0; reading < READINGS; reading += 1) {
    const before = performance.now();
    const wall = Date.now();
    const took = performance.now() - before;
    if (took >= shortest) continue;
    shortest = took;
    offset = wall - performance.timeOrigin - before;
  }
  return offset;
}

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
