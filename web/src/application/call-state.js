/**
 * CallState: whether a page is in a call. A page is in a call while media can flow over one of its peer connections.
 */

import { receives } from '../webrtc/connections.js';
import { DISCONNECTED_FOR } from './remote-tracks.js';

/** Connection states in which nothing can be received or sent any more. */
const OVER = new Set(['failed', 'closed']);

export class CallState {
  /** The time at which each connection was first seen to be disconnected. @type {WeakMap<RTCPeerConnection, number>} */
  #disconnectedAt = new WeakMap();
  #hooks;
  #hasLeft;

  /**
   * @param {ApplicationHooks} hooks
   * @param {(connection: RTCPeerConnection) => boolean} hasLeft returns whether the participant at the other end of the
   * connection has hung up
   */
  constructor(hooks, hasLeft) {
    this.#hooks = hooks;
    this.#hasLeft = hasLeft;
  }

  /**
   * The connections that carry media, or will carry media once they are established. A data channel alone is not a
   * call.
   */
  get connections() {
    return [...this.#hooks.connections].filter(
      (connection) => connection.signalingState !== 'closed' && carriesMedia(connection),
    );
  }

  /** The reason why the page is not in a call, or null if it is in a call. @returns {string | null} */
  get reason() {
    const connections = this.connections;
    if (!connections.length) return 'the page has closed its connections';
    if (connections.every((connection) => this.#hasLeft(connection))) return 'everybody else has hung up';
    const working = connections.filter(
      (connection) => !this.#hasLeft(connection) && !this.#isLost(connection),
    );
    return working.length ? null : 'the connections were lost';
  }

  /** @param {RTCPeerConnection} connection */
  #isLost(connection) {
    const state = connection.connectionState;
    if (state !== 'disconnected') this.#disconnectedAt.delete(connection);
    else if (!this.#disconnectedAt.has(connection)) this.#disconnectedAt.set(connection, performance.now());
    const since = this.#disconnectedAt.get(connection) ?? Infinity;
    return OVER.has(state) || performance.now() - since > DISCONNECTED_FOR;
  }
}

/**
 * Returns whether a connection sends, receives or will receive a track.
 *
 * @param {RTCPeerConnection} connection
 */
const carriesMedia = (connection) =>
  connection
    .getTransceivers()
    .some(
      ({ sender, receiver, direction, currentDirection }) =>
        (currentDirection ?? direction) !== 'inactive' &&
        (currentDirection ?? direction) !== 'stopped' &&
        (sender.track?.readyState === 'live' ||
          (receives(currentDirection ?? direction) && receiver.track.readyState === 'live')),
    );
