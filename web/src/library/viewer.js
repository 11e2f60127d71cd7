/** Viewer: shows the recordings of the room to somebody who has not joined it. The list arrives over signaling. */

import { Emitter } from '../shared/events.js';

/** How long after a lost connection the next attempt starts, in ms. */
const RETRY_AFTER = 1000;

/** @typedef {import('../room/signaling.js').Signaling} Signaling */

/**
 * Emits `changed` when the list has changed, and when the connection is lost or back.
 *
 * @extends {Emitter<{changed: void}>}
 */
export class Viewer extends Emitter {
  /** The token for requests to the library. */
  token = '';
  /** The recordings, newest first; null while nobody views them. @type {LibraryItem[] | null} */
  recordings = null;
  /** Whether the connection is lost, and we try to reconnect. */
  lost = false;
  #createSignaling;
  /** @type {Signaling | null} */
  #signaling = null;
  /** Counts attempts: the result of an earlier one is dropped. */
  #attempt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => Signaling} createSignaling */
  constructor(createSignaling) {
    super();
    this.#createSignaling = createSignaling;
  }

  /** Starts to view; fails with the server's refusal. @param {string} code of the room, or of its recordings alone */
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

  /** Stops viewing; calling it twice is fine. */
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

  /** Tries to reconnect until the server is back or refuses us. @param {string} code */
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
