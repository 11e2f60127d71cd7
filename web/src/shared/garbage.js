/**
 * Collects garbage that Chrome would leave: the wrappers of frames and blobs are small but keep much memory in use.
 *
 * Each thread (the page and each worker) has its own garbage. Collection works only if Chrome was launched with
 * --js-flags=--expose-gc, as the harness does. Otherwise these functions do nothing.
 */

const EVERY = 10_000;
const { gc } = /** @type {{gc?: (options: {type: 'major', execution: 'async'}) => Promise<void>}} */ (
  globalThis
);

export function collectGarbage() {
  void gc?.({ type: 'major', execution: 'async' });
}

/** Collects the garbage of the calling thread every 10 s from now on. */
export function keepCollecting() {
  if (gc) setInterval(collectGarbage, EVERY);
}
