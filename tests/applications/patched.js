// Replaces the browser's functions in the same way as mocks, polyfills, fake clocks and monitoring scripts, but more
// thoroughly.
const refuse = (name) =>
  class {
    constructor() {
      throw new Error(`${name} is mocked in this page.`);
    }
  };
// Playwright itself needs Map and Set.
const mocked = `AudioContext Blob CustomEvent EventTarget MediaRecorder MediaStream MediaStreamTrackGenerator
  MediaStreamTrackProcessor URL WebSocket Worker`;
for (const name of mocked.split(/\s+/)) globalThis[name] = refuse(name);

// A polyfill that lacks newer methods.
globalThis.Promise = class extends Promise {};
globalThis.Promise.withResolvers = undefined;

// A clock that never advances.
for (const name of ['setTimeout', 'setInterval', 'requestAnimationFrame', 'queueMicrotask'])
  globalThis[name] = () => 0;
performance.now = () => 0;
Date.now = () => 0;

// Monitoring: errors are caught, and calls are counted.
const targets = Object.getPrototypeOf(Node.prototype);
const { addEventListener } = targets;
targets.addEventListener = function (type, listener, options) {
  const wrapped = (...args) => listener?.apply?.(this, args);
  return addEventListener.call(this, type, wrapped, options);
};
globalThis.RTCPeerConnection = class extends RTCPeerConnection {};
globalThis.fetch = () => Promise.reject(new Error('fetch is mocked in this page.'));
for (const name of ['log', 'warn', 'error', 'debug']) console[name] = () => undefined;
