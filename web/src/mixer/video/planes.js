/**
 * Planes: copies a VideoFrame of any format to an upright I420 image with square pixels in the worker's memory, and from
 * there to a tile.
 */

import {
  blit,
  chroma,
  fromRgba,
  imageAt,
  imageBytes,
  isUpright,
  orientationOf,
  planeOf,
  turn,
  turnedSize,
} from '../../shared/i420.js';

/**
 * @typedef {import('../../shared/i420.js').I420Image} I420Image
 * @typedef {import('../../shared/i420.js').Orientation} Orientation
 * @typedef {import('../../shared/i420.js').Plane} Plane
 * @typedef {{width: number, height: number}} Size
 */

/**
 * How many times wider or higher an image can become when its pixels are made square. The pixels of real videos are at
 * most twice as wide as they are high. Without a limit, a single frame could fill the memory.
 */
const MOST_ENLARGED = 4;

/** Allocates images in one block of memory, using first fit. Adjacent free pieces are merged. */
export class Arena {
  /** The free pieces of memory, in ascending order. @type {{start: number, bytes: number}[]} */
  #free;

  /** @param {number} bytes the number of bytes to reserve; the system commits only the memory pages that are used */
  constructor(bytes) {
    this.memory = new Uint8Array(bytes);
    this.#free = [{ start: 0, bytes }];
  }

  /**
   * Returns a new image, or null if no free block of memory is large enough.
   *
   * @param {number} width
   * @param {number} height
   */
  allocate(width, height) {
    const bytes = imageBytes(width, height);
    const index = this.#free.findIndex((piece) => piece.bytes >= bytes);
    const piece = this.#free[index];
    if (!piece) return null;
    const image = imageAt(width, height, piece.start);
    piece.start += bytes;
    piece.bytes -= bytes;
    if (piece.bytes === 0) this.#free.splice(index, 1);
    return image;
  }

  /** @param {I420Image} image */
  free({ start, bytes }) {
    const next = this.#free.findIndex((piece) => piece.start > start);
    const index = next < 0 ? this.#free.length : next;
    this.#free.splice(index, 0, { start, bytes });
    for (const left of [index, index - 1]) {
      const a = this.#free[left];
      const b = this.#free[left + 1];
      if (a && b && a.start + a.bytes === b.start) {
        a.bytes += b.bytes;
        this.#free.splice(left + 1, 1);
      }
    }
  }
}

/** Copies frames from several participants in parallel. */
export class FrameReader {
  /**
   * Scratch buffers that are not in use. A new scratch buffer is created only if a conversion starts while all existing
   * scratch buffers are in use.
   *
   * @type {Uint8Array[]}
   */
  #spare = [];
  #arena;

  /** @param {Arena} arena */
  constructor(arena) {
    this.#arena = arena;
  }

  /**
   * Copies the frame to an image in the arena, and returns the image, or null if the arena is full. As in `<video>`,
   * the image contains the frame's visible part, upright and with square pixels.
   *
   * @param {VideoFrame} frame the frame, which the caller must close
   * @returns {Promise<I420Image | null>}
   */
  async read(frame) {
    const { width, height } = frame.visibleRect ?? { width: frame.codedWidth, height: frame.codedHeight };
    const image = this.#arena.allocate(width, height);
    if (!image) return null;
    const orientation = orientationOf(frame);
    const display = { width: frame.displayWidth, height: frame.displayHeight };
    try {
      switch (frame.format) {
        case 'I420':
        case 'I420A':
          await this.#copyPlanar(frame, image);
          break;
        case 'NV12':
          await this.#copyInterleaved(frame, image);
          break;
        default:
          await this.#copyPacked(frame, image);
      }
    } catch (error) {
      this.#arena.free(image);
      throw error;
    }
    const turned = isUpright(orientation) ? image : this.#turn(image, orientation);
    return turned && (hasSquarePixels(turned, display) ? turned : this.#square(turned, display));
  }

  /** @param {I420Image} image the image to turn; this method frees it @param {Orientation} orientation */
  #turn(image, orientation) {
    const { memory } = this.#arena;
    return this.#replace(image, turnedSize(image, orientation), (to) =>
      turn(memory, image, memory, to, orientation),
    );
  }

  /** @param {I420Image} image the image to scale; this method frees it @param {Size} display */
  #square(image, display) {
    const size = squareSize(image, display);
    return this.#replace(image, size, (to) => place(this.#arena.memory, image, to, { x: 0, y: 0, ...size }));
  }

  /** @param {I420Image} image @param {Size} size @param {(to: I420Image) => void} draw */
  #replace(image, { width, height }, draw) {
    const to = this.#arena.allocate(width, height);
    if (to) draw(to);
    this.#arena.free(image);
    return to;
  }

  /** @param {VideoFrame} frame @param {I420Image} image */
  async #copyPlanar(frame, image) {
    /** @type {PlaneLayout[]} */
    const layout = [...image.layout];
    if (frame.format !== 'I420A') {
      await frame.copyTo(this.#arena.memory, { layout });
      return;
    }
    // `copyTo` requires a layout for the alpha plane, whose content is ignored.
    const own = imageAt(image.width, image.height);
    await this.#withScratch(2 * own.bytes, async (scratch) => {
      await frame.copyTo(scratch, { layout: [...own.layout, { offset: own.bytes, stride: image.width }] });
      for (let plane = 0; plane < 3; plane += 1) copyPlane(scratch, own, this.#arena.memory, image, plane);
    });
  }

  /**
   * Copies an NV12 frame: luma is unchanged, and U and V are separated.
   *
   * @param {VideoFrame} frame
   * @param {I420Image} image
   */
  async #copyInterleaved(frame, image) {
    const { width, height } = image;
    const pairs = { offset: imageBytes(width, height), stride: 2 * chroma(width) };
    const { memory } = this.#arena;
    const [luma, u, v] = image.layout;
    await this.#withScratch(2 * imageBytes(width, height), async (scratch) => {
      await frame.copyTo(scratch, { layout: [{ offset: 0, stride: width }, pairs] });
      memory.set(scratch.subarray(0, width * height), luma.offset);
      for (let row = 0; row < chroma(height); row += 1) {
        let read = pairs.offset + row * pairs.stride;
        for (let x = 0; x < chroma(width); x += 1, read += 2) {
          memory[u.offset + row * u.stride + x] = /** @type {number} */ (scratch[read]);
          memory[v.offset + row * v.stride + x] = /** @type {number} */ (scratch[read + 1]);
        }
      }
    });
  }

  /**
   * Converts RGBA, RGBX, BGRA and BGRX directly, and all other formats through RGBA: Chrome can't convert to I420
   * (Chrome fact 16).
   */
  async #copyPacked(/** @type {VideoFrame} */ frame, /** @type {I420Image} */ image) {
    const { width, height } = image;
    const bgra = frame.format?.startsWith('BGR') ?? false;
    const options = { format: bgra ? 'BGRA' : 'RGBA', layout: [{ offset: 0, stride: 4 * width }] };
    await this.#withScratch(4 * width * height, async (scratch) => {
      await frame.copyTo(scratch, /** @type {VideoFrameCopyToOptions} */ (options));
      fromRgba(scratch, 4 * width, this.#arena.memory, image, bgra);
    });
  }

  /**
   * Runs a conversion with a scratch buffer that no parallel conversion uses.
   *
   * @param {number} bytes
   * @param {(scratch: Uint8Array) => Promise<void>} conversion
   */
  async #withScratch(bytes, conversion) {
    const spare = this.#spare.pop();
    const scratch = spare && spare.length >= bytes ? spare : new Uint8Array(bytes);
    try {
      await conversion(scratch);
    } finally {
      this.#spare.push(scratch);
    }
  }
}

/**
 * Returns whether an image has the aspect ratio at which its frame is displayed. The display size consists of whole
 * pixels, so the calculated size may differ from it by one pixel.
 *
 * @param {Size} image
 * @param {Size} display
 */
const hasSquarePixels = (image, display) =>
  Math.abs((image.width * display.height) / image.height - display.width) <= 1 ||
  Math.abs((image.height * display.width) / image.width - display.height) <= 1;

/**
 * Returns the size at which an image has square pixels. The image is enlarged in one direction, so that no detail is
 * lost.
 *
 * @param {Size} image
 * @param {Size} display
 * @returns {Size}
 */
function squareSize(image, display) {
  const wider = (display.width * image.height) / (display.height * image.width);
  return {
    width: nearestEven(image.width * Math.min(MOST_ENLARGED, Math.max(1, wider))),
    height: nearestEven(image.height * Math.min(MOST_ENLARGED, Math.max(1, 1 / wider))),
  };
}

/** @param {number} value at least 1 */
const nearestEven = (value) => 2 * Math.round(value / 2);

/** @param {Uint8Array} from @param {I420Image} source @param {Uint8Array} to @param {I420Image} target @param {number} plane */
function copyPlane(from, source, to, target, plane) {
  const a = /** @type {PlaneLayout} */ (source.layout[plane]);
  const b = /** @type {PlaneLayout} */ (target.layout[plane]);
  const bytes = plane > 0 ? chroma(source.width) * chroma(source.height) : source.width * source.height;
  to.set(from.subarray(a.offset, a.offset + bytes), b.offset);
}

/**
 * Copies an image to a rectangle of another image, and scales it if the sizes differ. An image that is at least twice
 * as large as the rectangle is first downscaled by averaging, so that small details don't fall between the sampled
 * pixels.
 *
 * @param {Uint8Array} memory the memory that contains both images
 * @param {I420Image} from
 * @param {I420Image} to
 * @param {TileRect} rect the target rectangle, whose position and size are even
 */
export function place(memory, from, to, rect) {
  if (from.width === rect.width && from.height === rect.height) {
    blit(memory, from, to, rect.x, rect.y);
    return;
  }
  for (let plane = 0; plane < 3; plane += 1) {
    const half = plane > 0;
    const size = half ? chroma : (/** @type {number} */ pixels) => pixels;
    const target = /** @type {PlaneLayout} */ (to.layout[plane]);
    const x = half ? rect.x >> 1 : rect.x;
    const y = half ? rect.y >> 1 : rect.y;
    scale(planeOf(memory, from, plane), {
      data: memory,
      offset: target.offset + y * target.stride + x,
      stride: target.stride,
      width: size(rect.width),
      height: size(rect.height),
    });
  }
}

/** Scratch memory for planes that are downscaled by averaging. */
let scratch = new Uint8Array(0);

/** @param {Plane} from @param {Plane} to */
function scale(from, to) {
  let source = from;
  // The exact size of the source, in pixels of the halved plane. The exact size includes an odd last line, which
  // `halve` leaves out because the line is not part of a pair.
  let wide = from.width;
  let high = from.height;
  while (source.width >= 2 * to.width && source.height >= 2 * to.height) {
    const width = source.width >> 1;
    const height = source.height >> 1;
    wide /= 2;
    high /= 2;
    if (wide === to.width && high === to.height) {
      halve(source, to);
      return;
    }
    if (scratch.length < width * height) scratch = new Uint8Array(width * height);
    // After the first pass, `halve` works in place. This is safe, since `halve` writes behind the position from which
    // it reads.
    const smaller = { data: scratch, offset: 0, stride: width, width, height };
    halve(source, smaller);
    source = smaller;
  }
  interpolate(source, to, wide, high);
}

/**
 * Averages blocks of two by two samples.
 *
 * @param {Plane} from
 * @param {Plane} to the target plane, which is half as wide and half as high
 */
function halve(from, to) {
  const { data, stride } = from;
  for (let y = 0; y < to.height; y += 1) {
    let read = from.offset + 2 * y * stride;
    const start = to.offset + y * to.stride;
    for (let write = start; write < start + to.width; write += 1, read += 2) {
      to.data[write] =
        (value(data, read) +
          value(data, read + 1) +
          value(data, read + stride) +
          value(data, read + stride + 1) +
          2) >>
        2;
    }
  }
}

/**
 * Scales a plane using bilinear interpolation.
 *
 * @param {Plane} from
 * @param {Plane} to
 * @param {number} wide the exact width of `from` in pixels, including any odd last column
 * @param {number} high the exact height of `from` in pixels, including any odd last line
 */
function interpolate(from, to, wide, high) {
  const { data } = from;
  const across = samples(to.width, wide, from.width);
  const down = samples(to.height, high, from.height);
  for (let y = 0; y < to.height; y += 1) {
    const below = value(down, 2 * y + 1);
    const above = from.offset + value(down, 2 * y) * from.stride;
    const next = below ? above + from.stride : above;
    const write = to.offset + y * to.stride;
    for (let x = 0; x < to.width; x += 1) {
      const column = value(across, 2 * x);
      const right = value(across, 2 * x + 1);
      const neighbor = right ? column + 1 : column;
      const top = value(data, above + column) * (256 - right) + value(data, above + neighbor) * right;
      const bottom = value(data, next + column) * (256 - right) + value(data, next + neighbor) * right;
      to.data[write + x] = (top * (256 - below) + bottom * below + 32768) >> 16;
    }
  }
}

/** Maximum number of cached interpolation tables. Each combination of source and target size has its own table. */
const REMEMBERED = 64;
/** @type {Map<string, Int32Array>} */
const remembered = new Map();

/**
 * Maps the centers of `to` target pixels to positions among `count` source pixels. `from` is the exact length of the
 * source, in pixels. For each target pixel, the returned table contains the index of the source pixel before the
 * mapped position, and the weight of the next source pixel (out of 256).
 *
 * @param {number} to
 * @param {number} from
 * @param {number} count
 */
function samples(to, from, count) {
  const key = `${to} of ${from} in ${count}`;
  const known = remembered.get(key);
  if (known) return known;
  const table = new Int32Array(2 * to);
  for (let at = 0; at < to; at += 1) {
    const middle = Math.max(0, ((at + 0.5) * from) / to - 0.5);
    const before = Math.min(count - 1, Math.floor(middle));
    table[2 * at] = before;
    table[2 * at + 1] = before < count - 1 ? Math.round((middle - before) * 256) : 0;
  }
  if (remembered.size === REMEMBERED) remembered.clear();
  remembered.set(key, table);
  return table;
}

/** @param {Uint8Array | Int32Array} values @param {number} index */
const value = (values, index) => /** @type {number} */ (values[index]);
