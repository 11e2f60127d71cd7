/** FakeSocket: a fake WebSocket, for which the test acts as the server. */

import { replaceGlobal } from './globals.js';

/** A fake WebSocket, for which the test acts as the server. */
export class FakeSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  /** All opened sockets. @type {FakeSocket[]} */
  static all = [];
  readyState = FakeSocket.CONNECTING;
  /** The sent messages, in order. Text messages are parsed as JSON. @type {unknown[]} */
  sent = [];

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    FakeSocket.all.push(this);
  }

  /** Replaces the browser's WebSocket with this class for one test. @param {{after(restore: () => void): void}} test */
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
    // While a socket is closing, Chrome doesn't throw an error but logs a warning to the console.
    if (this.readyState !== FakeSocket.OPEN) throw new Error('not open');
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data);
  }

  close() {
    this.drop(1000);
  }

  /** Opens the connection, as if the server had accepted it. */
  accept() {
    this.readyState = FakeSocket.OPEN;
    this.dispatchEvent(new Event('open'));
  }

  /** Delivers a message from the server. @param {FromServer | FromSpool} message */
  deliver(message) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
  }

  /**
   * Puts the socket into the closing state: the server has closed the connection, but the close event has not fired
   * yet.
   */
  closing() {
    this.readyState = FakeSocket.CLOSING;
  }

  /** Ends the connection. Code 1006 means that the connection was lost. @param {number} [code] */
  drop(code = 1006) {
    if (this.readyState === FakeSocket.CLOSED) return;
    this.readyState = FakeSocket.CLOSED;
    this.dispatchEvent(Object.assign(new Event('close'), { code }));
  }
}
