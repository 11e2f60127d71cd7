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

/**
 * @typedef {PlaneLayout & {data: Uint8Array, width: number, height: number}} Plane
 * @typedef {object} Orientation how the samples of a frame must be turned before the frame is shown
 * @property {number} rotation degrees clockwise: 0, 90, 180 or 270
 * @property {boolean} flip whether the frame is mirrored horizontally after the rotation
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
 * A plane is turned in square blocks with this side length, in samples. All rows of a block fit into the processor's
 * cache. Without blocks, turning large frames by 90 degrees takes up to three times as long.
 */
const SQUARE = 64;

/**
 * Returns a frame's orientation. `<video>` and canvases apply the orientation, but `copyTo` ignores it (Chrome fact 50).
 * Chrome before version 138 does not expose the orientation.
 *
 * @param {VideoFrame} frame
 * @returns {Orientation}
 */
export const orientationOf = ({ rotation = 0, flip = false }) => ({ rotation, flip });

/** @param {Orientation} orientation */
export const isUpright = ({ rotation, flip }) => rotation === 0 && !flip;

/**
 * Returns the size of an image after it has been turned.
 *
 * @param {{width: number, height: number}} size
 * @param {Orientation} orientation
 */
export const turnedSize = ({ width, height }, { rotation }) =>
  rotation % 180 === 0 ? { width, height } : { width: height, height: width };

/**
 * Copies a plane and turns it: first rotates it clockwise, then mirrors it.
 *
 * @param {Plane} from
 * @param {Plane} to a plane that has the size of the turned plane
 * @param {Orientation} orientation
 */
function turnPlane(from, to, { rotation, flip }) {
  const { data, stride } = from;
  const target = to.data;
  const [bottom, right] = [(from.height - 1) * stride, from.width - 1];
  // In `from`: the position of the target's first sample, and the distances to its neighbors on the right and below.
  let [start, across, down] = [0, 1, stride];
  if (rotation === 90) [start, across, down] = [bottom, -stride, 1];
  if (rotation === 180) [start, across, down] = [bottom + right, -1, -stride];
  if (rotation === 270) [start, across, down] = [right, stride, -1];
  if (flip) [start, across] = [start + (to.width - 1) * across, -across];
  start += from.offset;
  for (let top = 0; top < to.height; top += SQUARE) {
    const rows = Math.min(to.height, top + SQUARE);
    for (let left = 0; left < to.width; left += SQUARE) {
      const columns = Math.min(SQUARE, to.width - left);
      for (let y = top; y < rows; y += 1) {
        let read = start + y * down + left * across;
        const first = to.offset + y * to.stride + left;
        for (let write = first; write < first + columns; write += 1, read += across)
          target[write] = /** @type {number} */ (data[read]);
      }
    }
  }
}

/**
 * Copies an image and turns it: first rotates it clockwise, then mirrors it.
 *
 * @param {Uint8Array} source the memory that contains `from`
 * @param {I420Image} from
 * @param {Uint8Array} target the memory that contains `to`
 * @param {I420Image} to an image that has the size of the turned image
 * @param {Orientation} orientation
 */
export function turn(source, from, target, to, orientation) {
  for (let plane = 0; plane < 3; plane += 1) {
    turnPlane(planeOf(source, from, plane), planeOf(target, to, plane), orientation);
  }
}

/** @param {Uint8Array} data @param {I420Image} image @param {number} plane @returns {Plane} */
export function planeOf(data, image, plane) {
  const size = plane > 0 ? chroma : (/** @type {number} */ pixels) => pixels;
  const layout = /** @type {PlaneLayout} */ (image.layout[plane]);
  return { data, ...layout, width: size(image.width), height: size(image.height) };
}

/**
 * Returns the luma plane of a frame as `<video>` shows it, or null if the frame has no luma plane.
 *
 * @param {VideoFrame} frame the frame, which the caller must close
 * @returns {Promise<Plane | null>}
 */
export async function readLuma(frame) {
  const { format, visibleRect } = frame;
  if (!visibleRect || !(format?.startsWith('I4') || format === 'NV12')) return null;
  const orientation = orientationOf(frame);
  const data = new Uint8Array(frame.allocationSize());
  const [layout] = await frame.copyTo(data);
  if (!layout) return null;
  const luma = { data, ...layout, width: visibleRect.width, height: visibleRect.height };
  if (isUpright(orientation)) return luma;
  const size = turnedSize(luma, orientation);
  const turned = { data: new Uint8Array(size.width * size.height), offset: 0, stride: size.width, ...size };
  turnPlane(luma, turned, orientation);
  return turned;
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
