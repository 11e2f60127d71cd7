/**
 * The page's end of the spool: every chunk leaves at once, numbered, and is kept only until it is acknowledged.
 *
 * A chunk's frame is 16 bytes (a one, three zeros, its number as uint32, its offset as uint64, little-endian) and the
 * bytes as MediaRecorder gave them. Everything else is JSON (ToSpool, FromSpool in types.d.ts).
 */

import { HarnessError, cacheError, within } from '../errors.js';
import { parse } from '../json.js';

const READY_WITHIN = 10_000;
const HEADER = 16;
const CHUNK = 1;

/** Emits `ack` with { bytes, tracks } and `failed` with an Error. */
export class Spool extends EventTarget {
  /** The recording's id, '' before the server is ready. */
  recording = '';
  /** Bytes sent, and bytes that the server holds. */
  bytes = 0;
  acknowledged = 0;
  #chunks = 0;
  /** @type {WebSocket | null} */
  #socket = null;
  /** Who waits for which answer, in order. @type {{type: FromSpool['type'], answer: PromiseWithResolvers<FromSpool>}[]} */
  #waiting = [];

  /** @param {string} url of the spool socket */
  constructor(url) {
    super();
    this.url = url;
  }

  /** Announces a recording; resolves when the server is ready for its bytes. @param {Omit<Extract<ToSpool, { type: 'hello' }>, 'type'>} hello */
  async open(hello) {
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    const ready = this.#expect('ready');
    socket.addEventListener('open', () => this.#send({ type: 'hello', ...hello }));
    socket.addEventListener('message', (/** @type {MessageEvent<string>} */ { data }) => {
      this.#onMessage(/** @type {FromSpool} */ (parse(data)));
    });
    socket.addEventListener('close', () => this.#onClose());
    const answer = await within(
      ready,
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
    // Chrome fact 18: WebSocket.send keeps the order of blobs; reading them here would not (their promises resolve
    // out of order).
    this.#socket?.send(new Blob([header, blob]));
  }

  /** MediaRecorder was started, stopped, paused or resumed. @param {RecorderState} state @param {number} time page time */
  recorder(state, time) {
    this.#send({ type: 'recorder', state, time });
  }

  /** @param {number} first @param {(number | null)[]} written page times, null for a tick that was given up */
  ticks(first, written) {
    this.#send({ type: 'ticks', first, written });
  }

  /** @param {RoomEvent} event */
  event(event) {
    this.#send({ type: 'event', event });
  }

  /** Ends the recording; resolves with the finished file's facts. */
  async end() {
    const finished = this.#expect('finished');
    this.#send({ type: 'end', chunks: this.#chunks, bytes: this.bytes });
    const answer = await finished;
    return /** @type {Extract<FromSpool, { type: 'finished' }>} */ (answer).recording;
  }

  /** Asks for an address to download from, good for a minute. */
  async address() {
    const address = this.#expect('address');
    this.#send({ type: 'download' });
    return /** @type {Extract<FromSpool, { type: 'address' }>} */ (await address);
  }

  /** Resolves when the server has sent the last byte of a download. */
  async sent() {
    await this.#expect('sent');
  }

  /** Frees the server's copy. */
  async clean() {
    const cleaned = this.#expect('cleaned');
    this.#send({ type: 'clean' });
    await cleaned;
  }

  /** Ends the connection; who still waits for an answer is told that none will come. */
  close() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    for (const { answer } of this.#waiting.splice(0)) answer.reject(closed());
  }

  /** @param {FromSpool['type']} type */
  #expect(type) {
    /** @type {PromiseWithResolvers<FromSpool>} */
    const answer = Promise.withResolvers();
    if (this.#socket && this.#socket.readyState <= WebSocket.OPEN) this.#waiting.push({ type, answer });
    else answer.reject(closed());
    return answer.promise;
  }

  /** @param {FromSpool} message */
  #onMessage(message) {
    if (message.type === 'ack') {
      this.acknowledged = message.bytes;
      this.dispatchEvent(new CustomEvent('ack', { detail: message }));
    } else if (message.type === 'error') {
      const name = /** @type {import('../errors.js').ErrorName} */ (message.name);
      this.#fail(new HarnessError(name, message.message, message.code));
    } else {
      const index = this.#waiting.findIndex(({ type }) => type === message.type);
      if (index >= 0) this.#waiting.splice(index, 1)[0]?.answer.resolve(message);
    }
  }

  #onClose() {
    if (this.#socket) this.#fail(closed());
  }

  /** @param {Error} error */
  #fail(error) {
    const waiting = this.#waiting.splice(0);
    for (const { answer } of waiting) answer.reject(error);
    if (waiting.length === 0) this.dispatchEvent(new CustomEvent('failed', { detail: error }));
  }

  /** @param {ToSpool} message */
  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#socket.send(JSON.stringify(message));
  }
}

const closed = () => cacheError('The spool is closed; what the server had acknowledged is kept there.');
