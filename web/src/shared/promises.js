/** Promises: a delay, and a queue of asynchronous calls, in which each call begins when the previous one has ended. */

/** Resolves after `ms`. @param {number} ms @returns {Promise<void>} */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Returns a function that runs calls one at a time and resolves with the result of each. A failed call doesn't block the
 * next one.
 *
 * @returns {<T>(call: () => Promise<T>) => Promise<T>}
 */
export function createQueue() {
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();
  return (call) => {
    const turn = last.then(call);
    last = turn.catch(() => undefined);
    return turn;
  };
}
