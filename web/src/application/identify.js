/** Identifies a participant by the marker in their video, reading frames until one has an intact marker. */

import { COLUMNS, ROWS, decode } from '../shared/marker.js';

/**
 * Number of frames without a marker after which a participant counts as unidentified. MISSING_FRAMES replaces FRAMES
 * while one of our own participants has not been identified in the call yet.
 */
const FRAMES = 45;
const MISSING_FRAMES = 150;
/** The luma threshold between dark and bright cells. */
const MIDDLE = 128;

/**
 * Returns the marker number of a synthetic video, or null if the video has no marker or the track has ended.
 *
 * @param {MediaStreamTrack} track
 * @param {AbortSignal} signal
 * @param {() => boolean} isSomebodyMissing whether one of our own participants has not been identified yet; if so, more
 * frames are read, since the first frames may be too blurred
 * @returns {Promise<number | null>}
 */
export async function readMarker(track, signal, isSomebodyMissing) {
  const { readable } = new MediaStreamTrackProcessor({ track: /** @type {MediaStreamVideoTrack} */ (track) });
  const reader = readable.getReader();
  signal.addEventListener('abort', () => void reader.cancel().catch(() => undefined), { once: true });
  try {
    for (let frames = 0; frames < (isSomebodyMissing() ? MISSING_FRAMES : FRAMES); frames += 1) {
      const { value: frame } = await reader.read();
      if (!frame) return null;
      const marker = await readFrame(frame);
      if (marker !== null) return marker;
    }
    return null;
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

/** @param {VideoFrame} frame @returns {Promise<number | null>} */
async function readFrame(frame) {
  try {
    const { format, visibleRect } = frame;
    // Our synthetic video always has a luma plane.
    if (!visibleRect || !(format?.startsWith('I4') || format === 'NV12')) return null;
    const memory = new Uint8Array(frame.allocationSize());
    const [luma] = await frame.copyTo(memory);
    if (!luma) return null;
    const { width, height } = visibleRect;
    const cell = { width: width / COLUMNS, height: height / (9 * ROWS) };
    const cells = new Uint8Array(ROWS * COLUMNS);
    for (let row = 0; row < ROWS; row += 1) {
      for (let column = 0; column < COLUMNS; column += 1) {
        const from = { x: (column + 0.25) * cell.width, y: (row + 0.25) * cell.height };
        const value = mean(memory.subarray(luma.offset), luma.stride, from, cell);
        cells[row * COLUMNS + column] = value > MIDDLE ? 1 : 0;
      }
    }
    return decode(cells);
  } finally {
    frame.close();
  }
}

/**
 * Returns the mean luma in the middle of a cell. Only the middle half of the cell's width and height is measured, since
 * the cell's edges may be blurred.
 *
 * @param {Uint8Array} luma
 * @param {number} stride
 * @param {{x: number, y: number}} from
 * @param {{width: number, height: number}} cell
 */
function mean(luma, stride, from, cell) {
  const [left, top] = [Math.floor(from.x), Math.floor(from.y)];
  const [right, bottom] = [Math.ceil(from.x + cell.width / 2), Math.ceil(from.y + cell.height / 2)];
  let sum = 0;
  for (let y = top; y < bottom; y += 1)
    for (let x = left; x < right; x += 1) sum += luma[y * stride + x] ?? 0;
  return sum / ((right - left) * (bottom - top));
}
