/** The page's end of the signalling socket: hello, welcome, messages, and the pings that estimate the room's clock. */

import { RoomClock, pageNow } from '../clock.js';
import { HarnessError, within } from '../errors.js';
import { parse } from '../json.js';

/** The first pings come quickly, so that the clock is good before anything is recorded; then one now and then. */
const QUICK_PINGS = 8;
const QUICK_MS = 40;
const CALM_MS = 5000;
const WELCOME_WITHIN = 10_000;

/** @typedef {Extract<FromServer, { type: 'welcome' }>} Welcome */

/** Emits `message` with each message of the server after the welcome, `clock` when the estimate improves, `closed`. */
export class Signaling extends EventTarget {
  clock = new RoomClock();
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #pings = 0;

  /** @param {string} url of the signalling socket */
  constructor(url) {
    super();
    this.url = url;
  }

  /**
   * Opens the socket and says hello; resolves with the server's welcome, fails with its refusal.
   *
   * @param {Omit<Extract<ToServer, { type: 'hello' }>, 'type'>} hello
   * @returns {Promise<Welcome>}
   */
  async open(hello) {
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    /** @type {PromiseWithResolvers<Welcome>} */
    const welcome = Promise.withResolvers();
    socket.addEventListener('open', () => this.send({ type: 'hello', ...hello }));
    socket.addEventListener('message', (/** @type {MessageEvent<string>} */ { data }) => {
      const message = /** @type {FromServer} */ (parse(data));
      if (message.type === 'welcome') {
        this.#ping();
        // A welcome is worth little without the time: what happens is told on the room's clock.
        this.addEventListener('clock', () => welcome.resolve(message), { once: true });
      } else if (message.type === 'pong') {
        if (this.clock.update(message.sent, message.time, pageNow())) this.dispatchEvent(new Event('clock'));
      } else {
        if (message.type === 'error') {
          const name = /** @type {import('../errors.js').ErrorName} */ (message.name);
          welcome.reject(new HarnessError(name, message.message, message.code));
        }
        this.dispatchEvent(new CustomEvent('message', { detail: message }));
      }
    });
    socket.addEventListener('close', () => {
      clearTimeout(this.#timer);
      welcome.reject(new HarnessError('Error', `The server at ${this.url} closed the connection.`));
      this.dispatchEvent(new Event('closed'));
    });
    try {
      return await within(welcome.promise, WELCOME_WITHIN, () => `No welcome from ${this.url} within 10 s.`);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** @param {ToServer} message */
  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  close() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  #ping() {
    this.send({ type: 'ping', sent: pageNow() });
    this.#pings += 1;
    this.#timer = setTimeout(() => this.#ping(), this.#pings < QUICK_PINGS ? QUICK_MS : CALM_MS);
  }
}
