/** Starts workers, even in sandboxed frames. */

import { workerName } from './clock.js';

/**
 * Starts a worker. In a frame whose origin is opaque, Chrome can't load a module worker from a blob URL, but it can
 * load a classic script that imports the module. Messages that arrive before the import is complete are delivered
 * afterwards.
 *
 * @param {URL} module
 * @returns {Worker}
 */
export function startWorker(module) {
  const name = workerName();
  if (self.origin !== 'null') return new Worker(module, { type: 'module', name });
  const text = `
    const early = [];
    const keep = ({ data }) => early.push(data);
    addEventListener('message', keep);
    import(${JSON.stringify(module.href)}).then(() => {
      removeEventListener('message', keep);
      for (const data of early) dispatchEvent(new MessageEvent('message', { data }));
    });
  `;
  return new Worker(URL.createObjectURL(new Blob([text], { type: 'text/javascript' })), { name });
}
