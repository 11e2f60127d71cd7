/** ReadFile: reads a file from our server over a WebSocket. */

/** The close code of a connection that the server closed after the last byte (RFC 6455). */
const COMPLETE = 1000;

/** @param {string} address the file's http: URL @returns {Promise<Blob>} */
export function readFile(address) {
  const socket = new WebSocket(address.replace(/^http/, 'ws'), []);
  /** @type {Blob[]} */
  const parts = [];
  return new Promise((resolve, reject) => {
    socket.addEventListener('message', (/** @type {MessageEvent<Blob>} */ { data }) => void parts.push(data));
    socket.addEventListener('close', ({ code }) => {
      if (code === COMPLETE) resolve(new Blob(parts));
      else reject(new Error(`The server did not send the complete file ${address}.`));
    });
  });
}
