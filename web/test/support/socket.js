/** FakeSocket: a WebSocket whose other end is the test. */

import { replaceGlobal } from './globals.js';

/** A WebSocket whose other end is the test. */
export class FakeSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  /** Every socket that was opened. @type {FakeSocket[]} */
  static all = [];
  readyState = FakeSocket.CONNECTING;
  /** What was sent, in order; text as the object that it says. @type {unknown[]} */
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

  /** The socket that was opened last. */
  static get last() {
    return /** @type {FakeSocket} */ (FakeSocket.all.at(-1));
  }

  /** @param {string | Blob} data */
  send(data) {
    // Where it closes already Chrome throws nothing, but complains on the console.
    if (this.readyState !== FakeSocket.OPEN) throw new Error('not open');
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data);
  }

  close() {
    this.drop(1000);
  }

  /** The server accepts. */
  accept() {
    this.readyState = FakeSocket.OPEN;
    this.dispatchEvent(new Event('open'));
  }

  /** The server says something. @param {FromServer | FromSpool} message */
  say(message) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }

  /** The other end hangs up, and this one has not said so yet. */
  closing() {
    this.readyState = FakeSocket.CLOSING;
  }

  /** The connection ends; 1006 is one that nobody closed. @param {number} [code] */
  drop(code = 1006) {
    if (this.readyState === FakeSocket.CLOSED) return;
    this.readyState = FakeSocket.CLOSED;
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }
}
