/**
 * Starts workers, even on another application's page. A worker's script must come from the page's origin, but the
 * script's imports may come from other origins.
 */

/** @param {URL} module @returns {Worker} */
export function startWorker(module) {
  if (module.origin === location.origin) return new Worker(module, { type: 'module' });
  const text = `import ${JSON.stringify(module.href)};`;
  const address = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const worker = new Worker(address, { type: 'module' });
  // Once the worker reports an error, its script has either been loaded or failed to load, so the worker no longer
  // needs the address.
  worker.addEventListener('error', () => URL.revokeObjectURL(address), { once: true });
  return worker;
}
