/** FakeFrame: a fake VideoFrame with any format and content. */

/**
 * A fake VideoFrame. FakeFrame's copyTo works like Chrome's: the visible part of the frame is written in the
 * requested layout, and layouts that do not fit are rejected.
 */
export class FakeFrame {
  timestamp = 0;
  closed = false;
  /** @type {{rtpTimestamp?: number}} */
  rtp = {};
  /** The orientation, which only players apply; `copyTo` ignores it. */
  rotation = 0;
  flip = false;
  /** A promise that every copy waits for. @type {Promise<unknown>} */
  ready = Promise.resolve();

  /**
   * @param {string | null} format
   * @param {number} width the width of the visible part
   * @param {number} height
   * @param {(x: number, y: number, plane: number) => number} sample returns a sample of a plane or, for RGBA, of a
   * color channel (0 to 3)
   */
  constructor(format, width, height, sample) {
    this.format = format;
    this.sample = sample;
    // Decoders pad frames, so the coded size is larger than the visible size.
    this.codedWidth = width + 64;
    this.codedHeight = height + 8;
    this.visibleRect = { x: 0, y: 0, width, height };
    this.displayWidth = width;
    this.displayHeight = height;
  }

  /** This frame, with the type that the code under test expects. */
  get frame() {
    return /** @type {VideoFrame} */ (/** @type {unknown} */ (this));
  }

  metadata() {
    return this.rtp;
  }

  close() {
    this.closed = true;
  }

  /**
   * Returns the number of bytes that `copyTo` writes if no layout is given. For I420 and NV12, Chrome writes the same
   * number.
   */
  allocationSize() {
    const { width, height } = this.visibleRect;
    return width * height + 2 * ((width + 1) >> 1) * ((height + 1) >> 1);
  }

  /** Returns the layout that `copyTo` uses by default. @returns {PlaneLayout[]} */
  #defaultLayout() {
    const { width, height } = this.visibleRect;
    const [y, half, bytes] = [{ offset: 0, stride: width }, (width + 1) >> 1, width * height];
    if (this.format === 'NV12') return [y, { offset: bytes, stride: 2 * half }];
    const [u, v] = [bytes, bytes + half * ((height + 1) >> 1)];
    return [y, { offset: u, stride: half }, { offset: v, stride: half }];
  }

  /** @param {Uint8Array} memory @param {{format?: string, layout?: PlaneLayout[]}} [options] */
  async copyTo(memory, { format = this.format ?? '', layout = this.#defaultLayout() } = {}) {
    const { x: left, y: top, width, height } = this.visibleRect;
    const half = { width: (width + 1) >> 1, height: (height + 1) >> 1 };
    const packed = /^(RGB|BGR)[AX]$/.test(format);
    if (format !== this.format && !packed) throw new DOMException('no such conversion', 'NotSupportedError');
    // For each plane: its width and height in samples, and the sample that each byte contains.
    const planes = packed
      ? [{ width, height, samples: format.startsWith('BGR') ? [2, 1, 0, 3] : [0, 1, 2, 3] }]
      : format === 'NV12'
        ? [
            { width, height, samples: [0] },
            { ...half, samples: [1, 2] },
          ]
        : [
            { width, height, samples: [0] },
            { ...half, samples: [1] },
            { ...half, samples: [2] },
            ...(format === 'I420A' ? [{ width, height, samples: [3] }] : []),
          ];
    if (layout.length !== planes.length) throw new TypeError('wrong number of planes');
    planes.forEach((plane, index) => {
      const { offset, stride } = /** @type {PlaneLayout} */ (layout[index]);
      if (stride < plane.width * plane.samples.length) throw new TypeError('stride too small');
      if (offset + stride * plane.height > memory.length) throw new TypeError('buffer too small');
      for (let y = 0; y < plane.height; y += 1) {
        for (let x = 0; x < plane.width; x += 1) {
          plane.samples.forEach((sample, byte) => {
            const at = offset + y * stride + x * plane.samples.length + byte;
            const shift = plane.width === width ? 0 : 1;
            memory[at] = this.sample((left >> shift) + x, (top >> shift) + y, sample);
          });
        }
      }
    });
    await this.ready;
    return layout;
  }
}
