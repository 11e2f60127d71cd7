/**
 * I420 images: three planes in one block of memory.
 *
 * All images of a worker are stored in one large Uint8Array, so that rows can be copied with `copyWithin`, which
 * creates no garbage.
 */

/**
 * Padding after each plane, since `copyTo` rejects a layout if a plane's stride * rows bytes overrun the buffer (Chrome
 * fact 12).
 */
const PADDING = 64;

/** The middle of the chroma range (BT.601, limited range). */
export const GRAY = 128;

/**
 * @typedef {object} I420Image
 * @property {number} width pixels
 * @property {number} height pixels
 * @property {[PlaneLayout, PlaneLayout, PlaneLayout]} layout the offset in the memory and the stride in bytes, for each
 * of Y, U and V
 * @property {number} start the offset of the first byte in the memory
 * @property {number} bytes the number of bytes in the memory
 */

/** @param {number} size pixels of luma @returns {number} pixels of chroma */
export const chroma = (size) => (size + 1) >> 1;

/** Returns the size of an image in bytes. @param {number} width @param {number} height */
export function imageBytes(width, height) {
  return width * height + 2 * chroma(width) * chroma(height) + 3 * PADDING;
}

/** @param {number} width @param {number} height @param {number} [start] @returns {I420Image} */
export function imageAt(width, height, start = 0) {
  const y = { offset: start, stride: width };
  const u = { offset: y.offset + width * height + PADDING, stride: chroma(width) };
  const v = { offset: u.offset + chroma(width) * chroma(height) + PADDING, stride: chroma(width) };
  return { width, height, layout: [y, u, v], start, bytes: imageBytes(width, height) };
}

/**
 * Fills a rectangle with one color; `x` and `y` are even.
 *
 * @param {Uint8Array} memory
 * @param {I420Image} image
 * @param {{x: number, y: number, width: number, height: number}} rect
 * @param {readonly [number, number, number]} yuv
 */
export function fill(memory, image, rect, yuv) {
  for (let plane = 0; plane < 3; plane += 1) {
    const { offset, stride } = image.layout[/** @type {0 | 1 | 2} */ (plane)];
    const half = plane > 0;
    const x = half ? rect.x >> 1 : rect.x;
    const y = half ? rect.y >> 1 : rect.y;
    const width = half ? chroma(rect.width) : rect.width;
    const rows = half ? chroma(rect.height) : rect.height;
    for (let row = 0; row < rows; row += 1) {
      const at = offset + (y + row) * stride + x;
      memory.fill(/** @type {number} */ (yuv[plane]), at, at + width);
    }
  }
}

/**
 * Copies an image, or only its rectangle `part`, into a larger image at (`x`, `y`). `x` and `y` are even.
 *
 * @param {Uint8Array} memory the memory that contains both images
 * @param {I420Image} from
 * @param {I420Image} to
 * @param {number} x
 * @param {number} y
 * @param {{x: number, y: number, width: number, height: number}} [part] the part to copy, whose position and size are
 * even
 */
export function blit(memory, from, to, x, y, part = { x: 0, y: 0, width: from.width, height: from.height }) {
  for (let plane = 0; plane < 3; plane += 1) {
    const source = from.layout[/** @type {0 | 1 | 2} */ (plane)];
    const target = to.layout[/** @type {0 | 1 | 2} */ (plane)];
    const shift = plane > 0 ? 1 : 0;
    const width = shift ? chroma(part.width) : part.width;
    const rows = shift ? chroma(part.height) : part.height;
    let read = source.offset + (part.y >> shift) * source.stride + (part.x >> shift);
    let write = target.offset + (y >> shift) * target.stride + (x >> shift);
    for (let row = 0; row < rows; row += 1) {
      memory.copyWithin(write, read, read + width);
      read += source.stride;
      write += target.stride;
    }
  }
}

/**
 * Converts RGBA or BGRA pixels to an image of the same size: BT.601, limited range, with chroma averaged over 2x2 pixels.
 *
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} stride bytes per row
 * @param {Uint8Array} memory
 * @param {I420Image} image
 * @param {boolean} [bgra]
 */
export function fromRgba(pixels, stride, memory, image, bgra = false) {
  const { width, height, layout } = image;
  const [luma, u, v] = layout;
  const red = bgra ? 2 : 0;
  const blue = bgra ? 0 : 2;
  for (let y = 0; y < height; y += 1) {
    let read = y * stride;
    let write = luma.offset + y * luma.stride;
    for (let x = 0; x < width; x += 1, read += 4, write += 1) {
      memory[write] =
        (66 * at(pixels, read + red) + 129 * at(pixels, read + 1) + 25 * at(pixels, read + blue) + 4224) >> 8;
    }
  }
  for (let y = 0; y < height; y += 2) {
    const below = y + 1 < height ? stride : 0;
    for (let x = 0; x < width; x += 2) {
      const right = x + 1 < width ? 4 : 0;
      const p = y * stride + x * 4;
      const r = sum4(pixels, p + red, right, below);
      const g = sum4(pixels, p + 1, right, below);
      const b = sum4(pixels, p + blue, right, below);
      const cell = (y >> 1) * u.stride + (x >> 1);
      memory[u.offset + cell] = (-38 * r - 74 * g + 112 * b + 131584) >> 10;
      memory[v.offset + cell] = (112 * r - 94 * g - 18 * b + 131584) >> 10;
    }
  }
}

/** @param {Uint8Array | Uint8ClampedArray} pixels @param {number} index */
const at = (pixels, index) => /** @type {number} */ (pixels[index]);

/** @param {Uint8Array | Uint8ClampedArray} pixels @param {number} p @param {number} right @param {number} below */
const sum4 = (pixels, p, right, below) =>
  at(pixels, p) + at(pixels, p + right) + at(pixels, p + below) + at(pixels, p + right + below);
