/** Who somebody is: the mark in their picture, read until a frame of it is whole. */

import { COLUMNS, ROWS, decode } from '../marker.js';

/** How many frames without a mark make somebody a stranger. */
const FRAMES = 45;
/** Luma between dark and bright cells. */
const MIDDLE = 128;

/**
 * Returns the number in a synthetic picture, null where it is none of ours, or the track ended.
 *
 * @param {MediaStreamTrack} track
 * @param {AbortSignal} signal
 * @returns {Promise<number | null>}
 */
export async function markOf(track, signal) {
  const { readable } = new MediaStreamTrackProcessor({ track: /** @type {MediaStreamVideoTrack} */ (track) });
  const reader = readable.getReader();
  signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true });
  try {
    for (let looked = 0; looked < FRAMES; looked += 1) {
      const { value: frame } = await reader.read();
      if (!frame) return null;
      const marker = await read(frame);
      if (marker !== null) return marker;
    }
    return null;
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** @param {VideoFrame} frame @returns {Promise<number | null>} */
async function read(frame) {
  try {
    const { format, visibleRect } = frame;
    // What has no plane of luma is drawn by nobody of ours.
    if (!visibleRect || !(format?.startsWith('I4') || format === 'NV12')) return null;
    const memory = new Uint8Array(frame.allocationSize());
    const [luma] = await frame.copyTo(memory);
    if (!luma) return null;
    const { width, height } = visibleRect;
    const cell = { width: width / COLUMNS, height: height / (9 * ROWS) };
    const cells = new Uint8Array(ROWS * COLUMNS);
    for (let row = 0; row < ROWS; row += 1) {
      const y = luma.offset + Math.floor((row + 0.5) * cell.height) * luma.stride;
      for (let column = 0; column < COLUMNS; column += 1) {
        const value = memory[y + Math.floor((column + 0.5) * cell.width)] ?? 0;
        cells[row * COLUMNS + column] = value > MIDDLE ? 1 : 0;
      }
    }
    return decode(cells);
  } finally {
    frame.close();
  }
}
