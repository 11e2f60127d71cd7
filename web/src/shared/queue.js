/** A queue of asynchronous calls: each begins when the one before it has ended. */

/**
 * Returns a function that runs a call in turn and resolves with its result. A call that fails doesn't hold up the next.
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
