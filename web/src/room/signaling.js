/**
 * The page's end of the signalling socket: hello, welcome, messages, and the pings that estimate the room's clock.
 *
 * A connection that is lost is taken up again. What is said in the room (all but hello, welcome, ping, pong and error)
 * is counted on both sides and kept until the other has heard it; the rest is said again.
 */

import { RoomClock, pageNow } from '../shared/clock.js';
import { HarnessError, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { parse } from '../shared/json.js';

/** The first pings come quickly, so that the clock is good before anything is recorded; then one now and then. */
const QUICK_PINGS = 8;
const QUICK_MS = 40;
const CALM_MS = 5000;
const WELCOME_WITHIN = 10_000;
/** How long a lost connection is looked for again, and how often, in ms; the server waits 10 s for it. */
const RECONNECT_FOR = 9000;
const RECONNECT_EVERY = 250;
/** The close code of a connection that nobody closed (RFC 6455). */
const LOST = 1006;

/** @typedef {Extract<FromServer, { type: 'welcome' }>} Welcome */
/** @typedef {Extract<FromServer, { type: 'viewing' }>} Viewing */
/** @typedef {Omit<Extract<ToServer, { type: 'hello' }>, 'type'>} Greeting */

/** Who takes a connection up again, or only looks on, is nobody who comes in. @type {Greeting} */
const NOBODY = { token: null, room: null, name: null, code: null, media: 'synthetic', subscriptions: null };

/**
 * Emits `message` with each message of the server after the welcome, `clock` when the estimate improves, `lost` when
 * the connection is, `resumed` when it is back, and `closed` when it ended for good.
 *
 * @extends {Emitter<{message: FromServer, clock: void, lost: void, resumed: void, closed: void}>}
 */
export class Signaling extends Emitter {
  clock = new RoomClock();
  /** @type {WebSocket | null} */
  #socket = null;
  /** Whether the room is open on this connection: the server has heard of us and we of it. */
  #open = false;
  /** With what a lost connection is taken up again. */
  #resume = '';
  /** Messages that the server has not acknowledged yet. @type {ToServer[]} */
  #outbox = [];
  /** How many of our messages the server has acknowledged. */
  #ackedSeq = 0;
  /** How many of the server's messages we have received. */
  #receivedSeq = 0;
  #lostAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #pings = 0;
  /** @type {PromiseWithResolvers<Welcome | Viewing>} */
  #welcome = Promise.withResolvers();

  /** @param {string} url of the signalling socket @param {string[]} [protocols] */
  constructor(url, protocols = []) {
    super();
    this.url = url;
    this.protocols = protocols;
  }

  /**
   * Opens the socket and says hello; resolves with the server's welcome, fails with its refusal.
   *
   * @param {Greeting} hello
   */
  async open(hello) {
    return /** @type {Welcome} */ (await this.#greet(hello));
  }

  /** Opens the socket for who looks at the recordings; resolves with them, fails with the server's refusal. @param {string} code */
  async look(code) {
    return /** @type {Viewing} */ (await this.#greet({ ...NOBODY, role: 'viewer', code }));
  }

  /** @param {Greeting} hello */
  async #greet(hello) {
    this.#connect(hello);
    try {
      return await within(
        this.#welcome.promise,
        WELCOME_WITHIN,
        () => `No welcome from ${this.url} within 10 s.`,
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Says something in the room; while the connection is lost, when it is back. @param {ToServer} message */
  send(message) {
    if (!this.#socket) return;
    this.#outbox.push(message);
    if (this.#open) this.#say(message);
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
    socket.addEventListener('open', () => this.#say({ type: 'hello', ...hello }));
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
      // Who looks on has nothing that could be lost, and says hello again.
      this.#resume = message.type === 'welcome' ? message.resume : '';
      this.#onOpen(0);
      // A welcome is worth little without the time: what happens is told on the room's clock.
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

  /** @param {number} ackedSeq how many of our messages the server has */
  #onOpen(ackedSeq) {
    this.#open = true;
    this.#onAcked(ackedSeq);
    for (const message of this.#outbox) this.#say(message);
    clearTimeout(this.#timer);
    this.#ping();
  }

  /** Drops what the server has acknowledged. @param {number} ackedSeq */
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
      this.#connect({ ...NOBODY, resume: this.#resume, received_seq: this.#receivedSeq });
    }, RECONNECT_EVERY);
  }

  /** @param {ToServer} message */
  #say(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #ping() {
    this.#say({ type: 'ping', sent: pageNow(), received_seq: this.#receivedSeq });
    this.#pings += 1;
    this.#timer = setTimeout(() => this.#ping(), this.#pings < QUICK_PINGS ? QUICK_MS : CALM_MS);
  }
}
