/**
 * Garbage that Chrome sees no cause to collect: the wrappers of frames and blobs are small, what they hold is not.
 *
 * Every thread (the page, each worker) has garbage of its own. Collecting is there where Chrome was launched with
 * --js-flags=--expose-gc, as the harness does; elsewhere nothing happens.
 */

const EVERY = 10_000;
const { gc } = /** @type {{gc?: (options: {type: 'major', execution: 'async'}) => Promise<void>}} */ (
  globalThis
);

export function collectGarbage() {
  void gc?.({ type: 'major', execution: 'async' });
}

/** Collects the garbage of the thread that it is called in, every 10 s from now on. */
export function keepCollecting() {
  if (gc) setInterval(collectGarbage, EVERY);
}
