/** Workers, also on somebody else's page: a worker's own address must be the page's, what it imports need not be. */

/** @param {URL} module @returns {Worker} */
export function startWorker(module) {
  if (module.origin === location.origin) return new Worker(module, { type: 'module' });
  const text = `import ${JSON.stringify(module.href)};`;
  const address = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const worker = new Worker(address, { type: 'module' });
  // It is read by then: the worker answers, or fails.
  worker.addEventListener('error', () => URL.revokeObjectURL(address), { once: true });
  return worker;
}
