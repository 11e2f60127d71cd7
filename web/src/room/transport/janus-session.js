/**
 * A session with Janus over its WebSocket API (https://janus.conf.meetecho.com/docs/rest): requests, responses, plugin
 * handles and events.
 */

import { HarnessError, within } from '../../shared/errors.js';
import { Emitter } from '../../shared/events.js';
import { parse } from '../../shared/json.js';

const PLUGIN = 'janus.plugin.videoroom';
/**
 * How often to send a keepalive, in ms. Janus ends a session after a minute without requests, or earlier, depending on
 * its configuration.
 */
const KEEPALIVE_EVERY = 5000;
const ANSWERED_WITHIN = 10_000;
/** Janus's error code for an unauthorized request: the token is wrong or expired. */
const REFUSED = 403;

/**
 * @typedef {object} Answer the plugin's data, and its offer or answer
 * @property {Record<string, unknown>} data
 * @property {RTCSessionDescriptionInit} [jsep]
 */

/** A plugin handle, which sends requests and ICE candidates to the plugin. */
export class Handle {
  /** The handler for events from the plugin. @type {(answer: Answer) => void} */
  onEvent = () => undefined;
  #session;

  /** @param {Session} session @param {number} id */
  constructor(session, id) {
    this.#session = session;
    this.id = id;
  }

  /**
   * Sends a request to the plugin; if the plugin refuses, the error contains its reason.
   *
   * @param {Record<string, unknown>} body
   * @param {RTCSessionDescription | null} [jsep]
   * @returns {Promise<Answer>}
   */
  async ask(body, jsep) {
    const message = {
      janus: 'message',
      handle_id: this.id,
      body,
      ...(jsep && { jsep: { type: jsep.type, sdp: jsep.sdp } }),
    };
    const answer = answerOf(await this.#session.ask(message));
    const { error, error_code: code } = answer.data;
    if (code !== undefined) throw new JanusError(String(error), Number(code));
    return answer;
  }

  /**
   * Sends each of the connection's ICE candidates when it is found, and finally announces that there are no more.
   *
   * @param {RTCPeerConnection} connection
   */
  trickle(connection) {
    connection.addEventListener('icecandidate', ({ candidate }) => {
      const found = candidate ? candidate.toJSON() : { completed: true };
      this.#session.ask({ janus: 'trickle', handle_id: this.id, candidate: found }).catch(() => undefined);
    });
  }
}

/** The error for a request that the plugin refused, with the plugin's error code. */
export class JanusError extends Error {
  /** @param {string} message @param {number} code */
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/**
 * Emits `lost` when the connection ends without a call to `close`.
 *
 * @extends {Emitter<{lost: void}>}
 */
export class Session extends Emitter {
  #socket;
  #id = 0;
  #number = 0;
  /**
   * The pending requests, by transaction id. If `acknowledged` is set, Janus answers the request with nothing but an
   * acknowledgment.
   *
   * @type {Map<string, PromiseWithResolvers<Record<string, unknown>> & {acknowledged: boolean}>}
   */
  #waiting = new Map();
  /** @type {Map<number, Handle>} */
  #handles = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  #closed = false;

  /** @param {string} url @param {string | null} token */
  constructor(url, token) {
    super();
    this.url = url;
    this.token = token;
    this.#socket = new WebSocket(url, 'janus-protocol');
    this.#socket.addEventListener('message', (/** @type {MessageEvent<string>} */ { data }) => {
      this.#onMessage(/** @type {Record<string, unknown>} */ (parse(data)));
    });
  }

  /** Opens a session; fails with a ConfigError if Janus does not answer or rejects the token. */
  async open() {
    /** @type {PromiseWithResolvers<void>} */
    const { promise, resolve, reject } = Promise.withResolvers();
    this.#socket.addEventListener('open', () => resolve(), { once: true });
    this.#socket.addEventListener('close', () => {
      reject(
        new HarnessError(
          'ConfigError',
          `Could not connect to Janus at ${this.url}. Is Janus running, and is its WebSockets transport enabled?`,
        ),
      );
      this.#onClose();
    });
    await promise;
    const { data } = await this.ask({ janus: 'create' });
    this.#id = /** @type {{id: number}} */ (data).id;
    this.#timer = setInterval(
      () => void this.ask({ janus: 'keepalive' }).catch(() => undefined),
      KEEPALIVE_EVERY,
    );
  }

  /** @returns {Promise<Handle>} */
  async attach() {
    const { data } = await this.ask({ janus: 'attach', plugin: PLUGIN });
    const handle = new Handle(this, /** @type {{id: number}} */ (data).id);
    this.#handles.set(handle.id, handle);
    return handle;
  }

  /** @param {Record<string, unknown>} message @returns {Promise<Record<string, unknown>>} the final response */
  ask(message) {
    this.#number += 1;
    const transaction = String(this.#number);
    /** @type {PromiseWithResolvers<Record<string, unknown>>} */
    const answer = Promise.withResolvers();
    this.#waiting.set(transaction, { ...answer, acknowledged: message['janus'] !== 'message' });
    this.#transmit({ ...message, transaction });
    const late = () =>
      `Janus at ${this.url} did not answer the request ${String(message['janus'])} within 10 s.`;
    return within(answer.promise, ANSWERED_WITHIN, late).finally(() => this.#waiting.delete(transaction));
  }

  close() {
    this.#closed = true;
    clearInterval(this.#timer);
    if (this.#id) this.#transmit({ janus: 'destroy', transaction: 'bye' });
    this.#socket.close();
  }

  /** @param {Record<string, unknown>} message */
  #transmit(message) {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const session = this.#id ? { session_id: this.#id } : {};
    const token = this.token === null ? {} : { token: this.token };
    this.#socket.send(JSON.stringify({ ...message, ...session, ...token }));
  }

  /** @param {Record<string, unknown>} message */
  #onMessage(message) {
    const { janus, transaction, sender } = message;
    const pending = this.#waiting.get(String(transaction));
    // The final response to a message follows its acknowledgment.
    if (janus === 'ack' && !pending?.acknowledged) return;
    if (janus === 'error')
      pending?.reject(this.#refusal(/** @type {{code: number, reason: string}} */ (message['error'])));
    else if (pending) pending.resolve(message);
    else if (janus === 'event') this.#handles.get(Number(sender))?.onEvent(answerOf(message));
    else if (janus === 'timeout') this.#socket.close();
  }

  /** @param {{code: number, reason: string}} error */
  #refusal({ code, reason }) {
    if (code !== REFUSED) return new JanusError(reason, code);
    const remedy =
      "HARNESS_SFU_SECRET must match Janus's token_auth_secret, and the clocks of both servers must be correct";
    return new HarnessError('ConfigError', `Janus at ${this.url} rejected the token (${reason}): ${remedy}.`);
  }

  #onClose() {
    clearInterval(this.#timer);
    for (const { reject } of this.#waiting.values())
      reject(new Error(`Janus at ${this.url} closed the connection.`));
    if (!this.#closed) this.emit('lost');
    this.#closed = true;
  }
}

/** @param {Record<string, unknown>} message @returns {Answer} */
function answerOf(message) {
  const { plugindata, jsep } = message;
  const { data = {} } = /** @type {{data?: Record<string, unknown>}} */ (plugindata ?? {});
  return jsep ? { data, jsep: /** @type {RTCSessionDescriptionInit} */ (jsep) } : { data };
}
