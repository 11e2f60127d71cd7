/**
 * Collects garbage that Chrome would not collect by itself: the wrappers of frames and blobs are small, but they keep a
 * lot of memory in use.
 *
 * Garbage must be collected on each thread separately (on the page and on each worker). This works only if Chrome was
 * launched with --js-flags=--expose-gc, as the harness does. Otherwise, these functions do nothing.
 */

const EVERY = 10_000;
const { gc } = /** @type {{gc?: (options: {type: 'major', execution: 'async'}) => Promise<void>}} */ (
  globalThis
);

export function collectGarbage() {
  void gc?.({ type: 'major', execution: 'async' });
}

/** Starts collecting the calling thread's garbage every 10 s. */
export function keepCollecting() {
  if (gc) setInterval(collectGarbage, EVERY);
}
