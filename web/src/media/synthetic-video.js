/** SyntheticVideo: a participant's moving image with a marker, painted in a worker. */

import { startWorker } from '../shared/start-worker.js';

/**
 * `marker` is 0 to 127 for a participant; the marker of the participant's shared screen is 128 higher.
 *
 * `onLate` is called with frames that were painted late, or not at all, because the machine was too busy.
 *
 * @typedef {{name: string, marker: number, clock: RoomClockLike, onLate?: (frames: LateFrames) => void}} Options
 */

/** A worker that paints frames, and the track that the frames are written to. */
export class SyntheticVideo {
  #worker = startWorker(new URL('./synthetic-worker.js', import.meta.url));

  /** @param {Options} options @param {number} origin @param {VideoSize} size @param {boolean} screen */
  constructor({ name, marker, clock, onLate }, origin, size, screen) {
    const generator = new MediaStreamTrackGenerator({ kind: 'video' });
    generator.contentHint = screen ? 'detail' : 'motion';
    this.track = generator;
    this.screen = screen;
    /** Resolves when the first frame has been painted. */
    this.painted = new Promise((resolve) => {
      this.#worker.addEventListener(
        'message',
        (/** @type {MessageEvent<FromSyntheticWorker>} */ { data }) => {
          if (data.type === 'painted') resolve(undefined);
          else onLate?.({ marker, counters: data.counters });
        },
      );
    });
    const { writable } = generator;
    const { offset: clockOffset } = clock;
    this.#worker.postMessage(
      /** @type {SyntheticMessage} */ ({
        type: 'start',
        writable,
        name,
        marker,
        origin,
        clockOffset,
        screen,
        size,
      }),
      [writable],
    );
  }

  /** Sets the size and rate of the frames. @param {VideoSize} size */
  fit(size) {
    this.#post({ type: 'fit', ...size });
  }

  /** @param {number} clockOffset the room's clock minus the page's clock, in ms */
  setClock(clockOffset) {
    this.#post({ type: 'clock', clockOffset });
  }

  close() {
    this.#worker.terminate();
    this.track.stop();
  }

  /** @param {SyntheticMessage} message */
  #post(message) {
    this.#worker.postMessage(message);
  }
}
