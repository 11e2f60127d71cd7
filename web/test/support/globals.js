/** Replaces a browser's globals for one test, and waits for promises that have nothing else to wait for. */

// Node.js 20 lacks it; Chrome has it.
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

/** Lets everything happen that waits for nothing but its turn. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Lets whole chains of such things happen. */
export async function allSettled() {
  for (let turn = 0; turn < 10; turn += 1) await settled();
}

/**
 * Puts something in the place of a global for one test.
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
