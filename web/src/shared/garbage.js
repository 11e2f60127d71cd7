/**
 * Collects garbage that Chrome would leave: the wrappers of frames and blobs are small, but hold much memory.
 *
 * Every thread (the page, each worker) has its own garbage. Collecting works if Chrome was launched with
 * --js-flags=--expose-gc, as the harness does; otherwise nothing happens.
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
