/**
 * Memory: detects whether threads can share memory, and collects garbage that Chrome would not collect by itself. The
 * wrappers of frames and blobs are small, but each wrapper keeps a lot of memory in use.
 *
 * Garbage must be collected on each thread separately (on the page and on each worker). The harness launches Chrome
 * with --js-flags=--expose-gc, which lets a thread request garbage collection. In a Chrome without this switch, the
 * thread allocates a large amount of memory, which makes Chrome collect garbage.
 */

const EVERY = 10_000;
/** Chrome fact 49: an allocation of this many bytes makes Chrome collect garbage. */
const PRESSURE = 64 * 1024 * 1024;
const { gc } = /** @type {{gc?: (options: {type: 'major', execution: 'async'}) => Promise<void>}} */ (
  globalThis
);

/** Whether this page's threads can share memory (Chrome fact 32). */
export const hasSharedMemory = typeof SharedArrayBuffer === 'function';

/** Whether a thread can request garbage collection (Chrome fact 34). */
export const canCollectGarbage = gc !== undefined;

export function collectGarbage() {
  if (gc) void gc({ type: 'major', execution: 'async' });
  else {
    try {
      // Nothing is written to this buffer, so it takes up no physical memory.
      void new ArrayBuffer(PRESSURE);
    } catch {
      // Even if the allocation fails, Chrome has already collected garbage.
    }
  }
}

/** Starts collecting the calling thread's garbage every 10 s. */
export function keepCollecting() {
  setInterval(collectGarbage, EVERY);
}
