/**
 * Starts workers, also on another application's page: a worker's script must have the page's origin, its imports need
 * not.
 */

/** @param {URL} module @returns {Worker} */
export function startWorker(module) {
  if (module.origin === location.origin) return new Worker(module, { type: 'module' });
  const text = `import ${JSON.stringify(module.href)};`;
  const address = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const worker = new Worker(address, { type: 'module' });
  // By then the worker has read the address.
  worker.addEventListener('error', () => URL.revokeObjectURL(address), { once: true });
  return worker;
}
