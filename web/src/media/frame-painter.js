/**
 * Paints a synthetic participant's frames into memory: on a backdrop that is drawn only once, the marker strip at the
 * top, the symbol in the middle, and a face that moves below the name. Only these three areas are painted again for
 * each frame. `harness/verification/markers/backdrop.py` describes the same frames.
 */

import { blit, fill, fromRgba, imageAt, imageBytes } from '../shared/i420.js';
import { BRIGHT, COLUMNS, COUNTER_PERIOD, COUNTS_PER_SECOND, DARK, ROWS, encode } from '../shared/marker.js';
import { BLACK, MODULES, SymbolEncoder, WHITE, symbolSquare } from '../shared/symbol.js';

/** The strip's height, and the face's height, as shares of the video's height. */
export const STRIP = 1 / 9;
export const FACE = 1 / 9;
/** The face moves between these shares of the video's width. */
export const FACE_LEFT = 0.08;
export const FACE_RIGHT = 0.92;
/** The top of the face when it is on the floor, and how far it bounces, as shares of the video's height. */
export const FACE_TOP = 0.75;
const BOUNCE = 0.07;
/** The face is bright and its mouth is open for this many counts after a chirp begins. */
const FLASH = 4;
/** The face's position repeats after this many counts. */
const SWING = 3 * COUNTS_PER_SECOND;
/** The bounces are shifted against the swing by this many counts, so that the face does not return on the same path. */
const SHIFT = 7;
/** The faces of two participants are this many counts apart for each difference of 1 between their markers. */
const PHASE = 61;
/** Y, U and V of the face. A shared screen is bright, so its face is darker. */
const CAMERA_FACE = /** @type {const} */ ([194, 68, 158]);
const SCREEN_FACE = /** @type {const} */ ([140, 59, 183]);
const FLASH_LUMA = 235;
const FEATURE_LUMA = 45;
/** Faces that are smaller than this many pixels have no eyes and no mouth. */
const LEAST_FEATURES = 16;

/**
 * @typedef {import('../shared/i420.js').I420Image} I420Image
 * @typedef {{width: number, height: number, data: Uint8Array | Uint8ClampedArray}} Pixels the size in pixels, and RGBA
 * values
 */

/** Paints frames of one size. */
export class FramePainter {
  #marker;
  #backdrop;
  #faces;
  #flashing;
  #strip;
  #symbol;
  #cells = new Uint8Array(ROWS * COLUMNS);
  #modules = new Uint8Array(MODULES * MODULES);
  #encoder = new SymbolEncoder();
  #face = { x: 0, y: 0, width: 0, height: 0 };

  /** @param {number} marker @param {boolean} screen @param {Pixels} backdrop */
  constructor(marker, screen, { width, height, data }) {
    const size = even(height * FACE);
    const bytes = imageBytes(width, height);
    this.#marker = marker;
    /** Contains `image`, and what the painter needs to paint it. */
    this.memory = new Uint8Array(2 * bytes + 2 * imageBytes(size, size));
    this.#backdrop = imageAt(width, height);
    this.image = imageAt(width, height, bytes);
    fromRgba(data, width * 4, this.memory, this.#backdrop);
    blit(this.memory, this.#backdrop, this.image, 0, 0);
    const [luma, u, v] = screen ? SCREEN_FACE : CAMERA_FACE;
    this.#faces = new Face(this.memory, imageAt(size, size, 2 * bytes), [luma, u, v], isSmile);
    this.#flashing = new Face(
      this.memory,
      imageAt(size, size, 2 * bytes + imageBytes(size, size)),
      [FLASH_LUMA, u, v],
      isOpenMouth,
    );
    this.#strip = new Grid(this.image, { x: 0, y: 0, width, height: height * STRIP }, ROWS, COLUMNS);
    const { x, y, ...square } = symbolSquare(width / height);
    const symbol = {
      x: x * width,
      y: y * height,
      width: square.width * width,
      height: square.height * height,
    };
    this.#symbol = new Grid(this.image, symbol, MODULES, MODULES);
  }

  /** Paints the frame with this counter. @param {number} counter @param {number} time the room's time in ms */
  paint(counter, time) {
    encode(this.#marker, counter, time, this.#cells);
    this.#strip.paint(this.memory, this.#cells, BRIGHT, DARK);
    this.#encoder.encode(this.#marker, counter, time, this.#modules);
    this.#symbol.paint(this.memory, this.#modules, BLACK, WHITE);
    this.#moveFace(counter);
  }

  /** Draws the backdrop over the face's old position, and the face at its new position. @param {number} counter */
  #moveFace(counter) {
    const { width, height } = this.image;
    blit(this.memory, this.#backdrop, this.image, this.#face.x, this.#face.y, this.#face);
    const size = even(height * FACE);
    // `verify` computes the face's position from the strip (harness/verification/markers/backdrop.py).
    const phase = (counter % COUNTER_PERIOD) + PHASE * this.#marker;
    const swing = 0.5 - 0.5 * Math.cos((2 * Math.PI * phase) / SWING);
    const bounce = Math.abs(Math.sin((Math.PI * (phase + SHIFT)) / COUNTS_PER_SECOND));
    this.#face = {
      x: even(width * FACE_LEFT + swing * (width * (FACE_RIGHT - FACE_LEFT) - size)),
      y: even(height * FACE_TOP - bounce * height * BOUNCE),
      width: size,
      height: size,
    };
    const face = counter % COUNTS_PER_SECOND < FLASH ? this.#flashing : this.#faces;
    face.paint(this.memory, this.image, this.#face);
  }
}

/** Cells of two brightnesses, in rows and columns, at a fixed place in an image's luma. */
class Grid {
  #columns;
  #stride;
  /** The offset in the memory of each row's first line, and of the line below the last row. */
  #lines;
  /** The distance of each column, and of the grid's right edge, from the beginning of a line. */
  #edges;

  /**
   * @param {I420Image} image
   * @param {{x: number, y: number, width: number, height: number}} place in pixels, possibly fractions
   * @param {number} rows
   * @param {number} columns
   */
  constructor({ layout: [luma] }, place, rows, columns) {
    // All cells have nearly the same size, wherever the grid begins.
    const edges = (/** @type {number} */ start, /** @type {number} */ size, /** @type {number} */ count) =>
      Int32Array.from(
        { length: count + 1 },
        (_, edge) => Math.round(start) + Math.round((edge * size) / count),
      );
    this.#columns = columns;
    this.#stride = luma.stride;
    this.#lines = edges(place.y, place.height, rows).map((line) => luma.offset + line * luma.stride);
    this.#edges = edges(place.x, place.width, columns);
  }

  /** @param {Uint8Array} memory @param {Uint8Array} cells row by row @param {number} one @param {number} zero */
  paint(memory, cells, one, zero) {
    const columns = this.#columns;
    const left = at(this.#edges, 0);
    const right = at(this.#edges, columns);
    for (let row = 0; row + 1 < this.#lines.length; row += 1) {
      const first = at(this.#lines, row);
      // Equal cells next to each other are filled at once.
      for (let column = 0; column < columns;) {
        const start = column;
        const cell = cells[row * columns + start];
        while (column < columns && cells[row * columns + column] === cell) column += 1;
        memory.fill(cell ? one : zero, first + at(this.#edges, start), first + at(this.#edges, column));
      }
      const next = at(this.#lines, row + 1);
      for (let line = first + this.#stride; line < next; line += this.#stride)
        memory.copyWithin(line + left, first + left, first + right);
    }
  }
}

/** A round face, which is drawn once and then copied into frames. */
class Face {
  #image;
  /** For luma and for chroma: for each line, the first pixel of the face. The face ends as far from the right. */
  #starts;

  /**
   * @param {Uint8Array} memory
   * @param {I420Image} image
   * @param {readonly [number, number, number]} yuv
   * @param {(x: number, y: number) => boolean} isMouth
   */
  constructor(memory, image, yuv, isMouth) {
    const { width: size, layout } = image;
    this.#image = image;
    this.#starts = [size, size / 2].map((lines) =>
      Int32Array.from({ length: lines }, (_, line) => {
        const radius = lines / 2;
        return Math.round(radius - Math.sqrt(radius ** 2 - (line + 0.5 - radius) ** 2));
      }),
    );
    fill(memory, image, { x: 0, y: 0, width: size, height: size }, yuv);
    if (size < LEAST_FEATURES) return;
    for (let y = 0; y < size; y += 1) {
      for (let x = 0; x < size; x += 1) {
        const [across, down] = [(x + 0.5) / size - 0.5, (y + 0.5) / size - 0.5];
        if (isEye(across, down) || isMouth(across, down))
          memory[layout[0].offset + y * size + x] = FEATURE_LUMA;
      }
    }
  }

  /** @param {Uint8Array} memory @param {I420Image} target @param {{x: number, y: number}} place even numbers */
  paint(memory, target, { x, y }) {
    for (let plane = 0; plane < 3; plane += 1) {
      const from = /** @type {PlaneLayout} */ (this.#image.layout[plane]);
      const to = /** @type {PlaneLayout} */ (target.layout[plane]);
      const shift = plane > 0 ? 1 : 0;
      const starts = /** @type {Int32Array} */ (this.#starts[shift]);
      let read = from.offset;
      let write = to.offset + (y >> shift) * to.stride + (x >> shift);
      for (let line = 0; line < starts.length; line += 1, read += from.stride, write += to.stride) {
        const start = at(starts, line);
        memory.copyWithin(write + start, read + start, read + from.stride - start);
      }
    }
  }
}

/** @param {Int32Array} values @param {number} index */
const at = (values, index) => /** @type {number} */ (values[index]);

/** Rounds to an even number. @param {number} value */
const even = (value) => 2 * Math.round(value / 2);

// The features of a face, at positions relative to the face's center, as shares of its size.

/** @param {number} x @param {number} y */
const isEye = (x, y) => ((Math.abs(x) - 0.17) / 0.06) ** 2 + ((y + 0.1) / 0.09) ** 2 <= 1;

/** @param {number} x @param {number} y */
const isSmile = (x, y) => y >= 0.12 && Math.abs(Math.hypot(x, y) - 0.265) <= 0.04;

/** @param {number} x @param {number} y */
const isOpenMouth = (x, y) => (x / 0.13) ** 2 + ((y - 0.22) / 0.13) ** 2 <= 1;
