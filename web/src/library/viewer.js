/** Viewer: receives the list of the room's recordings over signaling, without joining the room. */

import { Emitter } from '../shared/events.js';

/** How long to wait before reconnecting, in ms. */
const RETRY_AFTER = 1000;

/** @typedef {import('../room/signaling.js').Signaling} Signaling */

/**
 * Emits `changed` when the list changes, and when the connection is lost or restored.
 *
 * @extends {Emitter<{changed: void}>}
 */
export class Viewer extends Emitter {
  /** The token for requests to the library. */
  token = '';
  /** The room's recordings, newest first; null before `open` and after `close`. @type {LibraryItem[] | null} */
  recordings = null;
  /** Whether the connection is lost and the viewer is trying to reconnect. */
  lost = false;
  #createSignaling;
  /** @type {Signaling | null} */
  #signaling = null;
  /** Counts the attempts to connect, so that the result of an outdated attempt is ignored. */
  #attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => Signaling} createSignaling */
  constructor(createSignaling) {
    super();
    this.#createSignaling = createSignaling;
  }

  /**
   * Starts viewing the room's recordings; fails with the server's error if the server refuses the viewer.
   *
   * @param {string} code the join code or the view code
   */
  async open(code) {
    const attempt = ++this.#attempt;
    clearTimeout(this.#timer);
    const signaling = this.#createSignaling();
    const { token, recordings } = await signaling.view(code);
    if (attempt !== this.#attempt) {
      signaling.close();
      return;
    }
    this.#signaling?.close();
    this.#signaling = signaling;
    signaling.listen('message', (message) => {
      if (message.type !== 'recordings' || this.#signaling !== signaling) return;
      this.recordings = message.recordings;
      this.emit('changed');
    });
    signaling.listen('closed', () => {
      if (this.#signaling === signaling) this.#reopenLater(code);
    });
    this.token = token;
    this.recordings = recordings;
    this.lost = false;
    this.emit('changed');
  }

  /** Stops viewing. `close` may be called more than once. */
  close() {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#signaling?.close();
    this.#signaling = null;
    this.token = '';
    this.recordings = null;
    this.lost = false;
    this.emit('changed');
  }

  /** Tries to reconnect until the server accepts or refuses the viewer. @param {string} code */
  #reopenLater(code) {
    this.lost = true;
    this.emit('changed');
    const attempt = this.#attempt + 1;
    this.#timer = setTimeout(() => {
      this.open(code).catch((/** @type {unknown} */ error) => {
        if (this.#attempt !== attempt) return;
        const refused = error instanceof Error && error.name === 'InvalidStateError';
        if (refused) this.close();
        else this.#reopenLater(code);
      });
    }, RETRY_AFTER);
  }
}
