/**
 * Spool: the page's end of the /spool socket. Each chunk is numbered, sent at once, and kept until it is acknowledged.
 *
 * A chunk is sent as a 16-byte header (a byte with the value 1, three zero bytes, the chunk's number as uint32 and
 * its offset as uint64, little-endian), followed by MediaRecorder's bytes. All other messages are JSON (ToSpool and
 * FromSpool in types/spool.d.ts).
 */

import { HarnessError, cacheError, within } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { collectGarbage } from '../shared/memory.js';
import { parse } from '../shared/json.js';

const READY_WITHIN = 10_000;
const HEADER = 16;
const CHUNK = 1;
/**
 * How long to keep trying to reconnect, and how often to try, in ms. The server waits 30 s for the page to reconnect.
 */
const RECONNECT_FOR = 25_000;
const RECONNECT_EVERY = 250;
/** Maximum backlog in bytes before the recording fails: about three minutes at 2.5 Mbps. */
const BACKLOG = 64 * 1024 * 1024;
/** Number of acknowledged bytes after which garbage is collected again. */
const COLLECT_EVERY = 8 * 1024 * 1024;

/**
 * Emits `ack`, `alarm` and `hashed` with the server's messages, `stalled` with a message when the connection is lost,
 * `resumed` when the connection is resumed, and `failed` with an Error.
 *
 * The page and the server keep the messages (chunks, ticks, events, states, statistics and the end message) in order,
 * and count them. After a reconnect, the server reports how many messages it has received. The page then sends the
 * messages that the server has not received, and all unanswered requests, again.
 *
 * @extends {Emitter<SpoolEvents>}
 */
export class Spool extends Emitter {
  /** The recording's id, or '' until the server is ready. */
  recording = '';
  /** The number of bytes sent, and the number of bytes that the server has acknowledged. */
  bytes = 0;
  acknowledged = 0;
  #chunks = 0;
  /** @type {WebSocket | null} */
  #socket = null;
  /** Whether the server is ready on the current connection. */
  #ready = false;
  #hello = /** @type {Hello | null} */ (null);
  /** The token that resumes a lost connection. */
  #resume = '';
  /** Messages that the server has not acknowledged yet. @type {(Blob | string)[]} */
  #outbox = [];
  /** Number of messages that the server has acknowledged. */
  #ackedSeq = 0;
  #lostAt = 0;
  /** The error that ended the connection for good. @type {Error | undefined} */
  #error;
  /** Number of acknowledged bytes at the last garbage collection. */
  #collectedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** Pending requests, in order. @type {{type: FromSpool['type'], answer: PromiseWithResolvers<FromSpool>, request: ToSpool | null}[]} */
  #waiting = [];

  /** @param {string} url the URL of the spool socket @param {string[]} [protocols] */
  constructor(url, protocols = []) {
    super();
    this.url = url;
    this.protocols = protocols;
  }

  /** Whether the connection has ended for good. */
  get closed() {
    return this.recording !== '' && this.#socket === null;
  }

  /** Announces a recording; resolves when the server is ready for the data. @param {Hello} hello */
  async open(hello) {
    this.#hello = hello;
    this.#connect();
    const answer = await within(
      this.#expect('ready', null),
      READY_WITHIN,
      () => `The spool at ${this.url} was not ready within 10 s.`,
    );
    if (answer.type === 'ready') this.recording = answer.recording;
  }

  /** @param {Blob} blob */
  chunk(blob) {
    const header = new DataView(new ArrayBuffer(HEADER));
    header.setUint8(0, CHUNK);
    header.setUint32(4, this.#chunks, true);
    header.setBigUint64(8, BigInt(this.bytes), true);
    this.#chunks += 1;
    this.bytes += blob.size;
    // Chrome fact 18: WebSocket.send sends blobs in order. If the blobs were read here, they might be sent out of
    // order, since the promises for their content may resolve out of order.
    this.#post(new Blob([header, blob]));
  }

  /** Reports that MediaRecorder was started, stopped, paused or resumed. @param {RecorderState} state @param {number} time page time */
  recorder(state, time) {
    this.#post(JSON.stringify({ type: 'recorder', state, time }));
  }

  /**
   * @param {number} first
   * @param {(number | null)[]} written the time of each tick on the page's clock, or null for a skipped tick
   */
  ticks(first, written) {
    this.#post(JSON.stringify({ type: 'ticks', first, written }));
  }

  /** @param {RoomEvent} event */
  event(event) {
    this.#post(JSON.stringify({ type: 'event', event }));
  }

  /** @param {ConnectionStatistics} statistics */
  statistics(statistics) {
    this.#post(JSON.stringify({ type: 'stats', ...statistics }));
  }

  /** Ends the recording; resolves with information about the finished file. */
  async end() {
    const finished = this.#expect('finished', null);
    this.#post(JSON.stringify({ type: 'end', chunks: this.#chunks, bytes: this.bytes }));
    const answer = await finished;
    return /** @type {Extract<FromSpool, { type: 'finished' }>} */ (answer).recording;
  }

  /**
   * Requests the number of frames that were written before the recorder was stopped but have not reached the server
   * yet.
   */
  async outstanding() {
    const answer = await this.#expect('outstanding', { type: 'outstanding' });
    return /** @type {Extract<FromSpool, { type: 'outstanding' }>} */ (answer).frames;
  }

  /** Requests a download URL, which is valid for one minute. */
  async address() {
    const answer = await this.#expect('address', { type: 'download' });
    return /** @type {Extract<FromSpool, { type: 'address' }>} */ (answer);
  }

  /**
   * Waits until the server has sent the last byte of the download, or until it is clear that the browser will not
   * download the file; the server sets a time limit for both. Resolves to null after a complete download, and otherwise
   * to the reason why the browser did not download the file. After a reconnect, the page sends the request again.
   *
   * @returns {Promise<string | null>}
   */
  async delivery() {
    const answer = await this.#expect('delivery', { type: 'delivery' });
    return /** @type {Extract<FromSpool, { type: 'delivery' }>} */ (answer).failure;
  }

  /** Discards the server's copy of the recording. */
  async clean() {
    await this.#expect('cleaned', { type: 'clean' });
  }

  /** Closes the connection; pending requests fail. */
  close() {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    this.#outbox = [];
    socket?.close();
    for (const { answer } of this.#waiting.splice(0)) answer.reject(closed());
  }

  /**
   * Sends the request, if any, and waits for an answer of the given type.
   *
   * @param {FromSpool['type']} type
   * @param {ToSpool | null} request
   */
  #expect(type, request) {
    /** @type {PromiseWithResolvers<FromSpool>} */
    const answer = Promise.withResolvers();
    if (!this.#socket) {
      answer.reject(this.#error ?? closed());
      return answer.promise;
    }
    this.#waiting.push({ type, answer, request });
    if (request) this.#send(JSON.stringify(request));
    return answer.promise;
  }

  #connect() {
    const socket = new WebSocket(this.url, this.protocols);
    this.#socket = socket;
    this.#ready = false;
    socket.addEventListener('open', () => {
      const resume = this.recording ? { token: this.#resume, recording: this.recording } : {};
      socket.send(JSON.stringify({ type: 'hello', ...this.#hello, ...resume }));
    });
    socket.addEventListener('message', (/** @type {MessageEvent<string>} */ { data }) => {
      this.#onMessage(/** @type {FromSpool} */ (parse(data)));
    });
    socket.addEventListener('close', () => {
      if (this.#socket === socket) this.#onLost();
    });
  }

  /** @param {FromSpool} message */
  #onMessage(message) {
    if (message.type === 'ack') {
      this.#onAcked(message.acked_seq);
      this.acknowledged = message.bytes;
      this.emit('ack', message);
    } else if (message.type === 'alarm') {
      this.emit('alarm', message);
    } else if (message.type === 'hashed') {
      this.emit('hashed', message);
    } else if (message.type === 'error') {
      const name = /** @type {import('../shared/errors.js').ErrorName} */ (message.name);
      // The server closes the connection after an error.
      this.#fail(new HarnessError(name, message.message, message.code));
    } else {
      if (message.type === 'ready') this.#onReady(message);
      const index = this.#waiting.findIndex(({ type }) => type === message.type);
      if (index >= 0) this.#waiting.splice(index, 1)[0]?.answer.resolve(message);
    }
  }

  /** @param {Extract<FromSpool, { type: 'ready' }>} ready */
  #onReady({ resume, acked_seq: ackedSeq, bytes }) {
    this.#ready = true;
    this.#resume = resume;
    this.acknowledged = bytes;
    this.#onAcked(ackedSeq);
    for (const data of this.#outbox) this.#send(data);
    for (const { request } of this.#waiting) if (request) this.#send(JSON.stringify(request));
    if (this.#lostAt) this.emit('resumed');
    this.#lostAt = 0;
  }

  /**
   * Drops the messages that the server has acknowledged.
   *
   * @param {number} ackedSeq number of messages that the server has received since the recording began
   */
  #onAcked(ackedSeq) {
    this.#outbox.splice(0, ackedSeq - this.#ackedSeq);
    this.#ackedSeq = ackedSeq;
    if (this.acknowledged - this.#collectedAt < COLLECT_EVERY) return;
    this.#collectedAt = this.acknowledged;
    // Chrome fact 34: a blob's bytes stay in memory until the blob's wrapper is collected, and the wrappers are too
    // small to trigger a collection.
    collectGarbage();
  }

  /**
   * Tries to reconnect, for up to RECONNECT_FOR ms. Fails at once if the server was never ready, since there is no
   * recording to resume.
   */
  #onLost() {
    this.#ready = false;
    if (!this.recording) {
      this.#fail(closed());
      return;
    }
    if (!this.#lostAt) {
      this.#lostAt = performance.now();
      this.emit('stalled', 'Lost connection to the server.');
    }
    if (performance.now() - this.#lostAt > RECONNECT_FOR) {
      this.#fail(closed());
      return;
    }
    this.#retry = setTimeout(() => this.#connect(), RECONNECT_EVERY);
  }

  /**
   * Closes the connection for good. All pending requests fail; if there are none, the spool emits `failed`.
   *
   * @param {Error} error
   */
  #fail(error) {
    const waiting = this.#waiting.splice(0);
    this.#error = error;
    this.close();
    for (const { answer } of waiting) answer.reject(error);
    if (waiting.length === 0) this.emit('failed', error);
  }

  /**
   * Sends data if the server is ready. If the connection is closing, the data is sent later, over the next connection.
   *
   * @param {Blob | string} data
   */
  #send(data) {
    if (this.#ready && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(data);
  }

  /** Sends a message, and stores it until the server has acknowledged it. @param {Blob | string} data */
  #post(data) {
    if (!this.#socket) return;
    this.#outbox.push(data);
    this.#send(data);
    if (this.bytes - this.acknowledged > BACKLOG) {
      this.#fail(
        cacheError(
          'The server is no longer accepting data: 64 MB are waiting to be sent. The server keeps the data it acknowledged.',
        ),
      );
    }
  }
}

/** @typedef {Omit<Extract<ToSpool, { type: 'hello' }>, 'type'>} Hello */

/**
 * @typedef {object} SpoolEvents
 * @property {Extract<FromSpool, { type: 'ack' }>} ack
 * @property {Extract<FromSpool, { type: 'alarm' }>} alarm
 * @property {Extract<FromSpool, { type: 'hashed' }>} hashed
 * @property {string} stalled
 * @property {void} resumed
 * @property {Error} failed
 */

const closed = () => cacheError('The spool is closed. The server keeps the data it acknowledged.');
