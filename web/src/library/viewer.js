/** Viewer: looks at what was recorded in the room without being in it. Its list comes over signalling, as a member's does. */

import { Emitter } from '../shared/events.js';

/** How long after a connection was lost the next attempt begins, in ms. */
const AGAIN_AFTER = 1000;

/** @typedef {import('../room/signaling.js').Signaling} Signaling */

/**
 * Emits `changed` when the list is another one, and when the connection is lost or back.
 *
 * @extends {Emitter<{changed: void}>}
 */
export class Viewer extends Emitter {
  /** With what the library is asked. */
  token = '';
  /** What was recorded, the newest first; null while nobody looks. @type {LibraryItem[] | null} */
  recordings = null;
  /** Whether the server is gone, and looked for. */
  lost = false;
  #createSignaling;
  /** @type {Signaling | null} */
  #signaling = null;
  /** Counts attempts and ends: what comes of an earlier attempt is dropped. */
  #turn = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => Signaling} createSignaling */
  constructor(createSignaling) {
    super();
    this.#createSignaling = createSignaling;
  }

  /** Begins to look; fails with the server's refusal. @param {string} code of the room, or of its recordings alone */
  async look(code) {
    const turn = ++this.#turn;
    clearTimeout(this.#timer);
    const signaling = this.#createSignaling();
    const { token, recordings } = await signaling.view(code);
    if (turn !== this.#turn) {
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
      if (this.#signaling === signaling) this.#lookAgain(code);
    });
    this.token = token;
    this.recordings = recordings;
    this.lost = false;
    this.emit('changed');
  }

  /** Stops looking; twice is fine. */
  close() {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#signaling?.close();
    this.#signaling = null;
    this.token = '';
    this.recordings = null;
    this.lost = false;
    this.emit('changed');
  }

  /** Looks for a server that is gone until it is back, or refuses us. @param {string} code */
  #lookAgain(code) {
    this.lost = true;
    this.emit('changed');
    const turn = this.#turn + 1;
    this.#timer = setTimeout(() => {
      this.look(code).catch((/** @type {unknown} */ error) => {
        if (this.#turn !== turn) return;
        const refused = error instanceof Error && error.name === 'InvalidStateError';
        if (refused) this.close();
        else this.#lookAgain(code);
      });
    }, AGAIN_AFTER);
  }
}
