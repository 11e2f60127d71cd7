/**
 * The Data Matrix symbol in the middle of a synthetic video, which encodes the same values as the marker strip.
 *
 * The symbol has 14 x 14 modules (ISO/IEC 16022, ECC 200) and a quiet zone of one module on every side. The left column
 * and the bottom row are black; the top row and the right column alternate. The other 12 x 12 modules hold 8 codewords of
 * data and 10 codewords for correction. The data is 6 bytes, most significant bit first: the marker number (8 bits),
 * the counter (18 bits) and the capture time in ms (22 bits). `harness/verification/markers/symbol.py` reads these
 * symbols.
 */

import { COUNTER_PERIOD, captureOf } from './marker.js';

export const MODULES = 14;
/** The width of the quiet zone in modules. */
export const QUIET = 1;
/** The luma of a black module, and of a white module. */
export const BLACK = 30;
export const WHITE = 225;
/** The side of the symbol with its quiet zone: a share of the video's height, but at most a share of its width. */
const SIDE = 0.4;
const WIDEST = 0.7;
/** The vertical position of the symbol's center; horizontally, the symbol is in the middle of the video. */
const CENTER = 0.35;

const BYTES = 6;
const DATA = 8;
const CORRECTION = 10;
const INNER = 12;
/** The polynomial of the field GF(256). */
const POLYNOMIAL = 0x12d;
/** The first codeword starts Base 256 encodation, and the second is the number of bytes. */
const LATCH = 231;

/**
 * Returns where the symbol's modules are, as fractions of the video's width and height. The quiet zone is around this
 * area.
 *
 * @param {number} aspect the video's width divided by its height
 */
export function symbolSquare(aspect) {
  const side = Math.min(SIDE, WIDEST * aspect);
  const share = MODULES / (MODULES + 2 * QUIET);
  const [width, height] = [(side / aspect) * share, side * share];
  return { x: 0.5 - width / 2, y: CENTER - height / 2, width, height };
}

/** Encodes symbols. An encoder reuses its memory, so encoding creates no garbage. */
export class SymbolEncoder {
  #words = new Uint8Array(DATA + CORRECTION);

  /**
   * Writes a symbol's modules, row by row. A 1 is a black module.
   *
   * @param {number} marker 0 to 255
   * @param {number} counter modulo 262,080
   * @param {number} time the time on the room's clock in ms; stored modulo 2^22
   * @param {Uint8Array} modules 14 x 14 modules, which are overwritten
   */
  encode(marker, counter, time, modules) {
    const count = counter % COUNTER_PERIOD;
    const capture = captureOf(time);
    const words = this.#words;
    words[0] = LATCH;
    words[1] = randomized(BYTES, 1);
    words[2] = randomized(marker & 0xff, 2);
    words[3] = randomized(count >>> 10, 3);
    words[4] = randomized((count >>> 2) & 0xff, 4);
    words[5] = randomized(((count & 3) << 6) | (capture >>> 16), 5);
    words[6] = randomized((capture >>> 8) & 0xff, 6);
    words[7] = randomized(capture & 0xff, 7);
    correct(words);
    modules.set(FRAME);
    for (let bit = 0; bit < PLACES.length; bit += 1)
      modules[valueAt(PLACES, bit)] = (valueAt(words, bit >> 3) >> (7 - (bit & 7))) & 1;
  }
}

/** @param {Uint8Array} values @param {number} index */
const valueAt = (values, index) => /** @type {number} */ (values[index]);

/** Returns a codeword in Base 256 encodation, which depends on its position. @param {number} byte @param {number} index */
const randomized = (byte, index) => (byte + ((149 * (index + 1)) % 255) + 1) & 0xff;

/** Writes the codewords for correction after the codewords of data. @param {Uint8Array} words */
function correct(words) {
  words.fill(0, DATA);
  for (let index = 0; index < DATA; index += 1) {
    const factor = valueAt(words, index) ^ valueAt(words, DATA);
    for (let power = 0; power < CORRECTION; power += 1) {
      const next = power + 1 < CORRECTION ? valueAt(words, DATA + power + 1) : 0;
      words[DATA + power] = next ^ valueAt(PRODUCTS, power * 256 + factor);
    }
  }
}

/** Returns the product of two numbers in the field GF(256). @param {number} left @param {number} right */
function multiply(left, right) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    product = (product << 1) ^ (product & 0x80 ? POLYNOMIAL : 0);
    if ((right >> bit) & 1) product ^= left;
  }
  return product;
}

/** Returns the generator polynomial's coefficients, highest power first, without the leading 1. */
function generator() {
  let polynomial = [1];
  for (let power = 1, root = 2; power <= CORRECTION; power += 1, root = multiply(root, 2)) {
    const scaled = [0, ...polynomial.map((coefficient) => multiply(coefficient, root))];
    polynomial = scaled.map((coefficient, index) => coefficient ^ (polynomial[index] ?? 0));
  }
  return polynomial.slice(1);
}

/** For each coefficient of the generator polynomial, its product with each number of the field. */
const PRODUCTS = new Uint8Array(
  generator().flatMap((coefficient) =>
    Array.from({ length: 256 }, (_, factor) => multiply(coefficient, factor)),
  ),
);

/** The modules that are the same in all symbols. */
const FRAME = new Uint8Array(MODULES * MODULES).map((_, index) => {
  const [row, column] = [Math.floor(index / MODULES), index % MODULES];
  if (column === 0 || row === MODULES - 1) return 1;
  return Number((row === 0 && column % 2 === 0) || (column === MODULES - 1 && row % 2 === 1));
});

/** The modules of a codeword, most significant bit first, relative to the module of its least significant bit. */
const SHAPE = /** @type {const} */ ([
  [-2, -2],
  [-2, -1],
  [-1, -2],
  [-1, -1],
  [-1, 0],
  [0, -2],
  [0, -1],
  [0, 0],
]);

/** The modules of the codeword that is divided among the corners. */
const CORNERS = /** @type {const} */ ([
  [INNER - 1, 0],
  [INNER - 1, 1],
  [INNER - 1, 2],
  [0, INNER - 2],
  [0, INNER - 1],
  [1, INNER - 1],
  [2, INNER - 1],
  [3, INNER - 1],
]);

/** For each bit of the codewords, the index of its module (ISO/IEC 16022, Annex F). */
const PLACES = placement();

function placement() {
  const places = new Uint8Array(8 * (DATA + CORRECTION));
  /** @type {Set<number>} */
  const taken = new Set();
  let bits = 0;
  for (const [row, column] of walk()) {
    const corners = row === INNER && column === 0;
    const inside = row >= 0 && row < INNER && column >= 0 && column < INNER;
    if (!corners && (!inside || taken.has(row * INNER + column))) continue;
    const cells = corners ? CORNERS : SHAPE.map(([down, across]) => wrapped(row + down, column + across));
    for (const [down, across] of cells) {
      taken.add(down * INNER + across);
      places[bits] = (down + 1) * MODULES + across + 1;
      bits += 1;
    }
  }
  return places;
}

/**
 * Yields the row and column of each codeword's last module: diagonally upward, then downward, from left to right.
 *
 * @returns {Generator<[number, number]>}
 */
function* walk() {
  let [row, column] = [4, 0];
  while (row < INNER || column < INNER) {
    for (; row >= 0 && column < INNER; row -= 2, column += 2) yield [row, column];
    row += 1;
    column += 3;
    for (; row < INNER && column >= 0; row += 2, column -= 2) yield [row, column];
    row += 3;
    column += 1;
  }
}

/**
 * Returns the module at which a module outside the symbol continues on the opposite side.
 *
 * @param {number} row
 * @param {number} column
 * @returns {[number, number]}
 */
function wrapped(row, column) {
  const shift = 4 - ((INNER + 4) % 8);
  if (row < 0) [row, column] = [row + INNER, column + shift];
  if (column < 0) [row, column] = [row + shift, column + INNER];
  return [row, column];
}
