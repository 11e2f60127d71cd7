import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { blit, chroma, fill, fromRgba, imageAt, imageBytes, readLuma } from '../../src/shared/i420.js';
import { dice } from '../support/dice.js';
import { FakeFrame } from '../support/frame.js';

/** @typedef {import('../../src/shared/i420.js').I420Image} I420Image */

/** Returns one sample of a plane. @param {Uint8Array} memory @param {I420Image} image @param {number} plane @param {number} x @param {number} y */
function sample(memory, image, plane, x, y) {
  const { offset, stride } = /** @type {PlaneLayout} */ (image.layout[plane]);
  return Number(memory[offset + y * stride + x]);
}

/**
 * Returns the luma and chroma of one pixel.
 *
 * @param {Uint8Array} memory
 * @param {I420Image} image
 * @param {number} x
 * @param {number} y
 */
const pixel = (memory, image, x, y) => [
  sample(memory, image, 0, x, y),
  sample(memory, image, 1, x >> 1, y >> 1),
  sample(memory, image, 2, x >> 1, y >> 1),
];

/**
 * Returns RGBA pixels whose colors are given by a function of the position.
 *
 * @param {number} width
 * @param {number} height
 * @param {(x: number, y: number) => readonly number[]} color
 * @param {number} [stride]
 */
function rgba(width, height, color, stride = width * 4) {
  const pixels = new Uint8Array(stride * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) pixels.set([...color(x, y), 255], y * stride + x * 4);
  }
  return pixels;
}

/** Converts a color to limited-range BT.601, following the definition. @param {readonly number[]} color */
function bt601([r = 0, g = 0, b = 0]) {
  const luma = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
  const blue = (b / 255 - luma) / 1.772;
  const red = (r / 255 - luma) / 1.402;
  return [16 + 219 * luma, 128 + 224 * blue, 128 + 224 * red];
}

/** @param {readonly number[]} expected @param {readonly number[]} given @param {number} tolerance @param {string} what */
function near(expected, given, tolerance, what) {
  given.forEach((value, index) =>
    assert.ok(
      Math.abs(value - Number(expected[index])) <= tolerance,
      `${what}: expected ${expected.join()}, got ${given.join()}`,
    ),
  );
}

describe('an image in memory', () => {
  test('has planes that do not overlap, including their padding', () => {
    for (const [width, height] of /** @type {const} */ ([
      [640, 360],
      [639, 359],
      [1, 1],
      [2, 3],
    ])) {
      const { layout, start, bytes } = imageAt(width, height, 1000);

      const [y, u, v] = layout;
      // Chrome rejects a layout if a plane's stride * rows bytes reach into the next plane.
      assert.ok(y.offset + y.stride * height < u.offset);
      assert.ok(u.offset + u.stride * chroma(height) < v.offset);
      assert.ok(v.offset + v.stride * chroma(height) < start + bytes);
      assert.deepEqual([1000, imageBytes(width, height)], [start, bytes]);
    }
  });

  test('has chroma planes that are rounded up if its size is odd', () => {
    assert.deepEqual([320, 320, 1, 1], [640, 639, 2, 1].map(chroma));
  });
});

describe('filling', () => {
  test('colors a rectangle and nothing else', () => {
    const image = imageAt(16, 8, 32);
    const memory = new Uint8Array(32 + image.bytes).fill(7);

    fill(memory, image, { x: 4, y: 2, width: 6, height: 4 }, [200, 100, 50]);

    for (let y = 0; y < 8; y += 1) {
      for (let x = 0; x < 16; x += 1) {
        const inside = x >= 4 && x < 10 && y >= 2 && y < 6;
        assert.deepEqual(inside ? [200, 100, 50] : [7, 7, 7], pixel(memory, image, x, y));
      }
    }
    assert.equal(memory.length - 24 - 2 * 6, memory.filter((byte) => byte === 7).length);
  });

  test('fills an image of odd size to its last sample', () => {
    const image = imageAt(5, 3);
    const memory = new Uint8Array(image.bytes);

    fill(memory, image, { x: 0, y: 0, width: 5, height: 3 }, [1, 2, 3]);

    assert.deepEqual(
      [15, 6, 6],
      [1, 2, 3].map((value) => memory.filter((byte) => byte === value).length),
    );
  });
});

describe('copying', () => {
  /** Returns two images in one block of memory; the first one contains noise. @param {[number, number]} from @param {[number, number]} to */
  function two(from, to) {
    const small = imageAt(...from);
    const large = imageAt(...to, small.bytes);
    const memory = new Uint8Array(small.bytes + large.bytes);
    const roll = dice(3);
    for (let at = 0; at < small.bytes; at += 1) memory[at] = 1 + roll() * 250;
    return { small, large, memory };
  }

  test('puts every sample at its position', () => {
    const { small, large, memory } = two([6, 4], [16, 12]);

    blit(memory, small, large, 8, 2);

    for (let y = 0; y < 12; y += 1) {
      for (let x = 0; x < 16; x += 1) {
        const inside = x >= 8 && x < 14 && y >= 2 && y < 6;
        assert.deepEqual(inside ? pixel(memory, small, x - 8, y - 2) : [0, 0, 0], pixel(memory, large, x, y));
      }
    }
  });

  test('copies only the part that is given', () => {
    const { small, large, memory } = two([16, 12], [16, 12]);

    blit(memory, small, large, 4, 6, { x: 4, y: 6, width: 8, height: 2 });

    for (let y = 0; y < 12; y += 1) {
      for (let x = 0; x < 16; x += 1) {
        const inside = x >= 4 && x < 12 && y >= 6 && y < 8;
        assert.deepEqual(inside ? pixel(memory, small, x, y) : [0, 0, 0], pixel(memory, large, x, y));
      }
    }
  });

  test('copies images of odd size completely', () => {
    const { small, large, memory } = two([5, 3], [12, 8]);

    blit(memory, small, large, 2, 2);

    for (let y = 0; y < 3; y += 1) {
      for (let x = 0; x < 5; x += 1) {
        assert.deepEqual(pixel(memory, small, x, y), pixel(memory, large, x + 2, y + 2));
      }
    }
  });
});

describe('converting from RGBA', () => {
  const COLORS = /** @type {const} */ ({
    black: [0, 0, 0],
    white: [255, 255, 255],
    gray: [128, 128, 128],
    red: [255, 0, 0],
    green: [0, 255, 0],
    blue: [0, 0, 255],
    yellow: [255, 255, 0],
    skin: [224, 172, 105],
  });

  test('returns limited-range BT.601 colors', () => {
    for (const [name, color] of Object.entries(COLORS)) {
      const image = imageAt(4, 4);
      const memory = new Uint8Array(image.bytes);

      fromRgba(
        rgba(4, 4, () => color),
        16,
        memory,
        image,
      );

      for (const [x, y] of /** @type {const} */ ([
        [0, 0],
        [3, 3],
      ])) {
        near(bt601(color), pixel(memory, image, x, y), 2, name);
      }
    }
  });

  test('returns the same colors for BGRA', () => {
    const turned = (/** @type {readonly number[]} */ [r = 0, g = 0, b = 0]) => [b, g, r];
    for (const color of Object.values(COLORS)) {
      const image = imageAt(2, 2);
      const [one, other] = [new Uint8Array(image.bytes), new Uint8Array(image.bytes)];

      fromRgba(
        rgba(2, 2, () => color),
        8,
        one,
        image,
      );
      fromRgba(
        rgba(2, 2, () => turned(color)),
        8,
        other,
        image,
        true,
      );

      assert.deepEqual(one, other);
    }
  });

  test('averages chroma over two by two pixels', () => {
    const colors = [COLORS.red, COLORS.blue, COLORS.green, COLORS.white];
    const image = imageAt(2, 2);
    const memory = new Uint8Array(image.bytes);

    fromRgba(
      rgba(2, 2, (x, y) => colors[y * 2 + x] ?? []),
      8,
      memory,
      image,
    );

    const mean = [0, 1, 2].map((index) =>
      colors.reduce((sum, color) => sum + Number(bt601(color)[index]) / 4, 0),
    );
    const [, u, v] = pixel(memory, image, 0, 0);
    near(mean.slice(1), [Number(u), Number(v)], 2, 'chroma');
    colors.forEach((color, index) =>
      near(bt601(color), [sample(memory, image, 0, index % 2, index >> 1)], 2, 'luma'),
    );
  });

  test('does not average the last column and row of odd sizes', () => {
    for (const [width, height] of /** @type {const} */ ([
      [5, 3],
      [1, 1],
      [3, 2],
      [2, 3],
    ])) {
      const image = imageAt(width, height);
      const memory = new Uint8Array(image.bytes);
      const color = (/** @type {number} */ x, /** @type {number} */ y) =>
        x >= (width & ~1) || y >= (height & ~1) ? COLORS.red : COLORS.blue;

      fromRgba(rgba(width, height, color), width * 4, memory, image);

      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) {
          near(bt601(color(x, y)), pixel(memory, image, x, y), 2, `${width}x${height} at ${x}, ${y}`);
        }
      }
    }
  });

  test('reads rows by their stride, and writes only the image', () => {
    const image = imageAt(4, 2, 50);
    const memory = new Uint8Array(50 + image.bytes + 50).fill(9);
    const pixels = rgba(4, 2, (_, y) => (y ? COLORS.white : COLORS.black), 4 * 4 + 20);

    fromRgba(pixels, 36, memory, image);

    assert.deepEqual([16, 235], [sample(memory, image, 0, 3, 0), sample(memory, image, 0, 3, 1)]);
    assert.ok(memory.subarray(0, 50).every((byte) => byte === 9));
    assert.ok(memory.subarray(50 + image.bytes).every((byte) => byte === 9));
  });
});

describe('the luma of a frame', () => {
  // The sample at (x, y) of the frame's visible part is 10 * y + x.
  for (const [rotation, flip, expected] of /** @type {[number, boolean, number[][]][]} */ ([
    [
      0,
      false,
      [
        [0, 1, 2],
        [10, 11, 12],
      ],
    ],
    [
      90,
      false,
      [
        [10, 0],
        [11, 1],
        [12, 2],
      ],
    ],
    [
      180,
      false,
      [
        [12, 11, 10],
        [2, 1, 0],
      ],
    ],
    [
      270,
      false,
      [
        [2, 12],
        [1, 11],
        [0, 10],
      ],
    ],
    [
      0,
      true,
      [
        [2, 1, 0],
        [12, 11, 10],
      ],
    ],
    [
      90,
      true,
      [
        [0, 10],
        [1, 11],
        [2, 12],
      ],
    ],
    [
      180,
      true,
      [
        [10, 11, 12],
        [0, 1, 2],
      ],
    ],
    [
      270,
      true,
      [
        [12, 2],
        [11, 1],
        [10, 0],
      ],
    ],
  ])) {
    for (const format of ['I420', 'NV12']) {
      test(`of ${format} is upright with rotation ${rotation}${flip ? ' and a flip' : ''}`, async () => {
        const fake = new FakeFrame(format, 3, 2, (x, y) => 10 * y + x);
        Object.assign(fake, { rotation, flip });

        const luma = await readLuma(fake.frame);

        assert.ok(luma);
        const { data, offset, stride, width, height } = luma;
        const rows = Array.from({ length: height }, (_, y) => [
          ...data.subarray(offset + y * stride, offset + y * stride + width),
        ]);
        assert.deepEqual(expected, rows);
      });
    }
  }

  test('is null if the frame has no luma plane', async () => {
    for (const format of ['RGBA', null]) {
      assert.equal(null, await readLuma(new FakeFrame(format, 3, 2, () => 0).frame));
    }
  });
});
