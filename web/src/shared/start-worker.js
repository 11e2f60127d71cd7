/** Starts workers, even in sandboxed frames. */

/**
 * In a frame whose origin is opaque, Chrome loads no worker that is a module from a blob: URL, but a classic script that
 * imports the module. Messages that arrive before the import is complete are delivered afterwards.
 *
 * @param {URL} module
 * @returns {Worker}
 */
export function startWorker(module) {
  if (self.origin !== 'null') return new Worker(module, { type: 'module' });
  const text = `
    const early = [];
    const keep = ({ data }) => early.push(data);
    addEventListener('message', keep);
    import(${JSON.stringify(module.href)}).then(() => {
      removeEventListener('message', keep);
      for (const data of early) dispatchEvent(new MessageEvent('message', { data }));
    });
  `;
  return new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })));
}
