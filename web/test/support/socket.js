/** FakeSocket: a fake WebSocket; the test plays the server. */

import { replaceGlobal } from './globals.js';

/** A fake WebSocket; the test plays the server. */
export class FakeSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  /** All opened sockets. @type {FakeSocket[]} */
  static all = [];
  readyState = FakeSocket.CONNECTING;
  /** The sent messages in order; text is parsed as JSON. @type {unknown[]} */
  sent = [];

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    FakeSocket.all.push(this);
  }

  /** Puts these sockets in place of the browser's for one test. @param {{after(restore: () => void): void}} test */
  static use(test) {
    FakeSocket.all = [];
    replaceGlobal(test, 'WebSocket', FakeSocket);
  }

  /** The last opened socket. */
  static get last() {
    return /** @type {FakeSocket} */ (FakeSocket.all.at(-1));
  }

  /** @param {string | Blob} data */
  send(data) {
    // While a socket is closing, Chrome does not throw but logs a warning to the console.
    if (this.readyState !== FakeSocket.OPEN) throw new Error('not open');
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data);
  }

  close() {
    this.drop(1000);
  }

  /** The server accepts the connection. */
  accept() {
    this.readyState = FakeSocket.OPEN;
    this.dispatchEvent(new Event('open'));
  }

  /** The server sends a message. @param {FromServer | FromSpool} message */
  deliver(message) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }

  /** The server closes the connection, and the close event has not fired yet. */
  closing() {
    this.readyState = FakeSocket.CLOSING;
  }

  /** The connection ends; code 1006 means that it was lost. @param {number} [code] */
  drop(code = 1006) {
    if (this.readyState === FakeSocket.CLOSED) return;
    this.readyState = FakeSocket.CLOSED;
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }
}
