/**
 * Signaling: the page's end of the /signal socket. The socket carries the hello and welcome messages, the room's
 * messages, and pings. The pings are used to estimate the room's clock.
 *
 * If the connection is lost, the page reconnects and resumes it. Both sides count the room's messages (all except
 * hello, welcome, ping, pong and error) and store each message until the other side has acknowledged it. After a
 * reconnect, the page and the server send their unacknowledged messages again.
 */

import { RoomClock, pageNow } from '../shared/clock.js';
import { HarnessError, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { parse } from '../shared/json.js';

/**
 * Number of initial pings. The initial pings are sent in quick succession, so that the clock is accurate before
 * anything is recorded.
 */
const QUICK_PINGS = 8;
const QUICK_MS = 40;
const CALM_MS = 5000;
const WELCOME_WITHIN = 10_000;
/**
 * How long to keep trying to reconnect, and how often to try, in ms. The server waits 10 s for the page to reconnect.
 */
const RECONNECT_FOR = 9000;
const RECONNECT_EVERY = 250;
/** The close code of a connection that was lost (RFC 6455). */
const LOST = 1006;

/** @typedef {Extract<FromServer, { type: 'welcome' }>} Welcome */
/** @typedef {Extract<FromServer, { type: 'viewing' }>} Viewing */
/** @typedef {Omit<Extract<ToServer, { type: 'hello' }>, 'type'>} Greeting */

/**
 * The hello message of a client that does not join, but resumes a connection or views the recordings.
 *
 * @type {Greeting}
 */
const NOT_JOINING = {
  token: null,
  room: null,
  name: null,
  code: null,
  media: 'synthetic',
  subscriptions: null,
};

/**
 * Emits `message` with each message that the server sends after the welcome, `clock` when the clock estimate improves,
 * `lost` and `resumed` when the connection is lost and resumed, and `closed` when it has ended for good.
 *
 * @extends {Emitter<{message: FromServer, clock: void, lost: void, resumed: void, closed: void}>}
 */
export class Signaling extends Emitter {
  clock = new RoomClock();
  /** @type {WebSocket | null} */
  #socket = null;
  /** Whether hello and welcome have been exchanged on the current connection. */
  #open = false;
  /** The token that resumes a lost connection. */
  #resume = '';
  /** Messages that the server has not acknowledged yet. @type {ToServer[]} */
  #outbox = [];
  /** Number of our messages that the server has acknowledged. */
  #ackedSeq = 0;
  /** Number of the server's messages that we have received. */
  #receivedSeq = 0;
  #lostAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #pings = 0;
  /** @type {PromiseWithResolvers<Welcome | Viewing>} */
  #welcome = Promise.withResolvers();

  /** @param {string} url the URL of the signaling socket @param {string[]} [protocols] */
  constructor(url, protocols = []) {
    super();
    this.url = url;
    this.protocols = protocols;
  }

  /**
   * Opens the socket and sends hello; resolves with the server's welcome, or fails with the error from the server.
   *
   * @param {Greeting} hello
   */
  async open(hello) {
    return /** @type {Welcome} */ (await this.#greet(hello));
  }

  /**
   * Opens the socket as a viewer; resolves with the list of recordings, or fails with the error from the server.
   *
   * @param {string} code
   */
  async view(code) {
    return /** @type {Viewing} */ (await this.#greet({ ...NOT_JOINING, role: 'viewer', code }));
  }

  /** @param {Greeting} hello */
  async #greet(hello) {
    this.#connect(hello);
    try {
      return await within(
        this.#welcome.promise,
        WELCOME_WITHIN,
        () => `The server at ${this.url} was not ready within 10 s.`,
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Sends a message to the room; if the connection is lost, the message is sent after the reconnect.
   *
   * @param {ToServer} message
   */
  send(message) {
    if (!this.#socket) return;
    this.#outbox.push(message);
    if (this.#open) this.#transmit(message);
  }

  close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    this.#outbox = [];
    socket?.close();
  }

  /** @param {Greeting} hello */
  #connect(hello) {
    const socket = new WebSocket(this.url, this.protocols);
    this.#socket = socket;
    this.#open = false;
    socket.addEventListener('open', () => this.#transmit({ type: 'hello', ...hello }));
    socket.addEventListener('message', (/** @type {MessageEvent<string>} */ { data }) => {
      if (this.#socket === socket) this.#onMessage(/** @type {FromServer} */ (parse(data)));
    });
    socket.addEventListener('close', ({ code }) => {
      if (this.#socket === socket || !this.#socket) this.#onClose(code);
    });
  }

  /** @param {FromServer} message */
  #onMessage(message) {
    if (message.type === 'welcome' || message.type === 'viewing') {
      // A viewer sends nothing that could be lost, so it opens a new connection instead of resuming.
      this.#resume = message.type === 'welcome' ? message.resume : '';
      this.#onOpen(0);
      // The times of events are on the room's clock, so the welcome is held back until the clock is known.
      this.listen('clock', () => this.#welcome.resolve(message), { once: true });
    } else if (message.type === 'resumed') {
      this.#onOpen(message.acked_seq);
      this.#lostAt = 0;
      this.emit('resumed');
    } else if (message.type === 'pong') {
      this.#onAcked(message.acked_seq);
      if (this.clock.update(message.sent, message.time, pageNow())) this.emit('clock');
    } else if (message.type === 'error') {
      const name = /** @type {import('../shared/errors.js').ErrorName} */ (message.name);
      this.#welcome.reject(new HarnessError(name, message.message, message.code));
    } else {
      this.#receivedSeq += 1;
      this.emit('message', message);
    }
  }

  /** @param {number} ackedSeq number of our messages that the server has received */
  #onOpen(ackedSeq) {
    this.#open = true;
    this.#onAcked(ackedSeq);
    for (const message of this.#outbox) this.#transmit(message);
    clearTimeout(this.#timer);
    this.#ping();
  }

  /** Drops the messages that the server has acknowledged. @param {number} ackedSeq */
  #onAcked(ackedSeq) {
    this.#outbox.splice(0, ackedSeq - this.#ackedSeq);
    this.#ackedSeq = ackedSeq;
  }

  /** @param {number} code */
  #onClose(code) {
    clearTimeout(this.#timer);
    this.#open = false;
    this.#welcome.reject(new HarnessError('Error', `The server at ${this.url} closed the connection.`));
    const lost = code === LOST && this.#socket !== null && this.#resume !== '';
    if (lost && !this.#lostAt) {
      this.#lostAt = performance.now();
      this.emit('lost');
    }
    if (!lost || performance.now() - this.#lostAt > RECONNECT_FOR) {
      this.#socket = null;
      this.emit('closed');
      return;
    }
    this.#retry = setTimeout(() => {
      this.#connect({ ...NOT_JOINING, resume: this.#resume, received_seq: this.#receivedSeq });
    }, RECONNECT_EVERY);
  }

  /** @param {ToServer} message */
  #transmit(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #ping() {
    this.#transmit({ type: 'ping', sent: pageNow(), received_seq: this.#receivedSeq });
    this.#pings += 1;
    this.#timer = setTimeout(() => this.#ping(), this.#pings < QUICK_PINGS ? QUICK_MS : CALM_MS);
  }
}
