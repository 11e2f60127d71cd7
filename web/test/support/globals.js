/** Replaces a browser's globals for one test, and waits for pending promises. */

// Chrome has Promise.withResolvers, but Node.js 20 does not.
if (!('withResolvers' in Promise)) {
  Object.defineProperty(Promise, 'withResolvers', {
    value: () => {
      /** @type {Record<string, unknown>} */
      const made = {};
      made['promise'] = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
      return made;
    },
  });
}

/** Waits until all pending promise callbacks have run. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Waits until chained promise callbacks have also run (up to ten turns of the event loop). */
export async function allSettled() {
  for (let turn = 0; turn < 10; turn += 1) await settled();
}

/**
 * Replaces a global for one test.
 *
 * @param {{after(restore: () => void): void}} test
 * @param {string} name
 * @param {unknown} fake
 */
export function replaceGlobal(test, name, fake) {
  const scope = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (globalThis));
  const before = scope[name];
  scope[name] = fake;
  test.after(() => {
    scope[name] = before;
  });
}
