import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { chroma, fromRgba, imageAt, imageBytes } from '../../../src/shared/i420.js';
import { Arena, FrameReader, place } from '../../../src/mixer/video/planes.js';
import { dice } from '../../support/dice.js';
import { FakeFrame } from '../../support/frame.js';
import { settled } from '../../support/globals.js';

/** @typedef {import('../../../src/shared/i420.js').I420Image} I420Image */

/** Returns the samples of a plane, row by row. @param {Uint8Array} memory @param {I420Image} image @param {number} plane */
function plane(memory, image, plane) {
  const { offset, stride } = /** @type {PlaneLayout} */ (image.layout[plane]);
  const [width, height] = plane ? [chroma(image.width), chroma(image.height)] : [image.width, image.height];
  return Array.from({ length: height }, (_, y) => [
    ...memory.subarray(offset + y * stride, offset + y * stride + width),
  ]);
}

/** @param {number} width @param {number} height @param {(x: number, y: number) => number} value */
const rows = (width, height, value) =>
  Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => value(x, y)));

/** Allocates an image, or fails the test. @param {Arena} arena @param {number} width @param {number} height */
function taken(arena, width, height) {
  const image = arena.allocate(width, height);
  assert.ok(image);
  return image;
}

describe('an arena', () => {
  test('never allocates memory that is in use, and can reuse all released memory', () => {
    const roll = dice(1);
    const arena = new Arena(1_000_000);
    /** @type {I420Image[]} */
    let held = [];
    for (let round = 0; round < 3000; round += 1) {
      const image =
        roll() < 0.55 ? arena.allocate(2 + Math.floor(roll() * 300), 2 + Math.floor(roll() * 200)) : null;
      if (image) held.push(image);
      else if (held.length > 0) {
        const index = Math.floor(roll() * held.length);
        arena.free(/** @type {I420Image} */ (held[index]));
        held = held.filter((_, other) => other !== index);
      }

      const pieces = held.toSorted((a, b) => a.start - b.start);
      pieces.forEach((piece, index) => {
        const next = pieces[index + 1]?.start ?? 1_000_000;
        assert.ok(piece.start + piece.bytes <= next, `round ${round}`);
      });
    }
    for (const image of held) arena.free(image);

    // This image needs the whole memory as one contiguous block.
    const whole = taken(arena, 999, 660);
    assert.equal(0, whole.start);
  });

  test('merges released pieces in any order', () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const bytes = imageBytes(16, 16);
      const arena = new Arena(3 * bytes);
      const images = [taken(arena, 16, 16), taken(arena, 16, 16), taken(arena, 16, 16)];
      assert.equal(null, arena.allocate(2, 2));

      for (const index of order) arena.free(/** @type {I420Image} */ (images[index]));

      assert.equal(0, taken(arena, 16, 34).start);
    }
  });

  test('returns null when it is full, and allocates again later', () => {
    const arena = new Arena(imageBytes(64, 64) + 100);
    const image = taken(arena, 64, 64);

    assert.equal(null, arena.allocate(64, 64));
    arena.free(image);
    assert.ok(arena.allocate(64, 64));
  });
});

describe('placing an image', () => {
  /**
   * Returns an image with the given samples, and a larger image filled with zeros.
   *
   * @param {[number, number]} size
   * @param {(x: number, y: number, plane: number) => number} sample
   */
  function scene(size, sample, canvas = /** @type {[number, number]} */ ([64, 48])) {
    const from = imageAt(...size);
    const to = imageAt(...canvas, from.bytes);
    const memory = new Uint8Array(from.bytes + to.bytes);
    from.layout.forEach(({ offset, stride }, index) => {
      const [width, height] = index ? size.map(chroma) : size;
      for (let y = 0; y < Number(height); y += 1) {
        for (let x = 0; x < Number(width); x += 1) memory[offset + y * stride + x] = sample(x, y, index);
      }
    });
    return { from, to, memory };
  }

  test('copies it exactly if the size is the same', () => {
    const roll = dice(2);
    const { from, to, memory } = scene([32, 18], () => roll() * 255);

    place(memory, from, to, { x: 8, y: 4, width: 32, height: 18 });

    for (const index of [0, 1, 2]) {
      const half = index ? 2 : 1;
      const given = plane(memory, to, index)
        .slice(4 / half, (4 + 18) / half)
        .map((row) => row.slice(8 / half, (8 + 32) / half));
      assert.deepEqual(plane(memory, from, index), given);
    }
  });

  test('writes nothing outside of its rectangle', () => {
    for (const size of /** @type {[number, number][]} */ ([
      [20, 10],
      [64, 36],
      [33, 17],
    ])) {
      const { from, to, memory } = scene(size, () => 200);

      place(memory, from, to, { x: 10, y: 6, width: 20, height: 10 });

      const inside = rows(64, 48, (x, y) => (x >= 10 && x < 30 && y >= 6 && y < 16 ? 200 : 0));
      assert.deepEqual(inside, plane(memory, to, 0));
      const halfInside = rows(32, 24, (x, y) => (x >= 5 && x < 15 && y >= 3 && y < 8 ? 200 : 0));
      assert.deepEqual([halfInside, halfInside], [plane(memory, to, 1), plane(memory, to, 2)]);
    }
  });

  test('averages blocks of two by two samples when halving the size', () => {
    const roll = dice(4);
    const { from, to, memory } = scene([64, 48], () => Math.floor(roll() * 256), [32, 24]);

    place(memory, from, to, { x: 0, y: 0, width: 32, height: 24 });

    for (const index of [0, 1, 2]) {
      const source = plane(memory, from, index);
      const at = (/** @type {number} */ x, /** @type {number} */ y) => Number(source[y]?.[x]);
      plane(memory, to, index).forEach((row, y) =>
        row.forEach((value, x) => {
          const mean =
            (at(2 * x, 2 * y) + at(2 * x + 1, 2 * y) + at(2 * x, 2 * y + 1) + at(2 * x + 1, 2 * y + 1)) / 4;
          assert.ok(Math.abs(value - mean) <= 0.5);
        }),
      );
    }
  });

  test('preserves a gradient at any size', () => {
    for (const [width, height] of /** @type {[number, number][]} */ ([
      [640, 360],
      [639, 359],
      [100, 75],
      [17, 9],
      [64, 180],
    ])) {
      const { from, to, memory } = scene([width, height], (x, y, index) => {
        const [wide, high] = index ? [chroma(width), chroma(height)] : [width, height];
        return (120 * (x + 0.5)) / wide + (120 * (y + 0.5)) / high;
      });

      place(memory, from, to, { x: 0, y: 0, width: 64, height: 48 });

      for (const index of [0, 1, 2]) {
        const [wide, high] = index ? [32, 24] : [64, 48];
        plane(memory, to, index).forEach((row, y) =>
          row.forEach((value, x) => {
            const expected = (120 * (x + 0.5)) / wide + (120 * (y + 0.5)) / high;
            // Allow a difference of one level, since values are rounded twice. At the edges of an enlarged
            // image, the outer half of each outermost sample has no neighbor to blend with.
            const [narrow, low] = index ? [chroma(width), chroma(height)] : [width, height];
            const edge =
              x < wide / narrow || x >= wide - wide / narrow || y < high / low || y >= high - high / low;
            assert.ok(
              Math.abs(value - expected) <= (edge ? 1.5 + 60 / narrow + 60 / low : 1.5),
              `${width}x${height}, plane ${index} at ${x}, ${y}: ${value} for ${expected}`,
            );
          }),
        );
      }
    }
  });

  test('preserves fine lines at a quarter of the size or less', () => {
    for (const size of /** @type {[number, number][]} */ ([
      [256, 192],
      [320, 240],
      [515, 387],
    ])) {
      // One column in eight is bright. Without averaging, every sample would be either fully bright or fully dark.
      const { from, to, memory } = scene(size, (x) => (x % 8 ? 0 : 240));

      place(memory, from, to, { x: 0, y: 0, width: 64, height: 48 });

      const luma = plane(memory, to, 0).flat();
      const mean = luma.reduce((sum, one) => sum + one, 0) / luma.length;
      assert.ok(Math.abs(mean - 30) < 2, `${size.join('x')}: ${mean}`);
      assert.ok(Math.max(...luma) < 150, `${size.join('x')}: ${Math.max(...luma)}`);
    }
  });

  test('fills the rectangle if the image has only one pixel', () => {
    const { from, to, memory } = scene([1, 1], (_x, _y, index) => 50 + index);

    place(memory, from, to, { x: 0, y: 0, width: 64, height: 48 });

    for (const index of [0, 1, 2]) {
      assert.deepEqual(new Set([50 + index]), new Set(plane(memory, to, index).flat()));
    }
  });
});

describe('reading a frame', () => {
  /** Returns a value that differs at each position and in each plane. @param {number} x @param {number} y @param {number} index */
  const noise = (x, y, index) => (x * 7 + y * 13 + index * 101) % 256;

  for (const [width, height] of /** @type {[number, number][]} */ ([
    [64, 36],
    [63, 35],
    [1, 1],
  ])) {
    for (const format of ['I420', 'I420A', 'NV12']) {
      test(`of ${format} keeps every sample at ${width}x${height}`, async () => {
        const arena = new Arena(100_000);

        const image = await new FrameReader(arena).read(new FakeFrame(format, width, height, noise).frame);

        assert.ok(image);
        assert.deepEqual([width, height], [image.width, image.height]);
        for (const index of [0, 1, 2]) {
          const size = index ? [chroma(width), chroma(height)] : [width, height];
          assert.deepEqual(
            rows(Number(size[0]), Number(size[1]), (x, y) => noise(x, y, index)),
            plane(arena.memory, image, index),
          );
        }
      });
    }

    for (const format of ['RGBA', 'RGBX', 'BGRA', 'BGRX', 'I444', null]) {
      test(`of ${format ?? 'an unknown format'} converts it at ${width}x${height}`, async () => {
        const arena = new Arena(100_000);

        const image = await new FrameReader(arena).read(new FakeFrame(format, width, height, noise).frame);

        assert.ok(image);
        const pixels = new Uint8Array(4 * width * height);
        pixels.forEach((_, at) => {
          pixels[at] = noise((at >> 2) % width, Math.floor((at >> 2) / width), at & 3);
        });
        const expected = imageAt(width, height);
        const memory = new Uint8Array(expected.bytes);
        fromRgba(pixels, 4 * width, memory, expected);
        for (const index of [0, 1, 2]) {
          assert.deepEqual(plane(memory, expected, index), plane(arena.memory, image, index));
        }
      });
    }
  }

  /** Rotates rows of samples clockwise by 90 degrees. @param {number[][]} given */
  const rotated = (given) =>
    Array.from({ length: Number(given[0]?.length) }, (_, x) => given.map((row) => Number(row[x])).reverse());

  for (const rotation of [0, 90, 180, 270]) {
    for (const flip of [false, true]) {
      const orientation = `rotation ${rotation}${flip ? ' and a flip' : ''}`;
      for (const format of ['I420', 'I420A', 'NV12', 'RGBA', 'BGRX', null]) {
        test(`of ${format ?? 'an unknown format'} applies ${orientation} to its visible part`, async () => {
          for (const [width, height, left, top] of /** @type {[number, number, number, number][]} */ ([
            [64, 36, 0, 0],
            [63, 35, 0, 0],
            [131, 67, 2, 6],
            [66, 129, 10, 0],
            [1, 7, 4, 2],
            [1, 1, 0, 0],
          ])) {
            const cropped = new FakeFrame(format, width, height, noise);
            Object.assign(cropped.visibleRect, { x: left, y: top });
            const upright = new Arena(100_000);
            const plain = await new FrameReader(upright).read(cropped.frame);
            const [displayWidth, displayHeight] = rotation % 180 ? [height, width] : [width, height];
            Object.assign(cropped, { rotation, flip, displayWidth, displayHeight });
            const arena = new Arena(100_000);

            const image = await new FrameReader(arena).read(cropped.frame);

            assert.ok(plain && image);
            assert.deepEqual([displayWidth, displayHeight], [image.width, image.height]);
            for (const index of [0, 1, 2]) {
              let expected = plane(upright.memory, plain, index);
              if (index === 0 && format?.startsWith('I420'))
                assert.deepEqual(
                  rows(width, height, (x, y) => noise(x + left, y + top, index)),
                  expected,
                );
              for (let turn = 0; turn < rotation; turn += 90) expected = rotated(expected);
              if (flip) expected = expected.map((row) => row.toReversed());
              assert.deepEqual(expected, plane(arena.memory, image, index), `${width}x${height}`);
            }
          }
        });
      }
    }
  }

  test('makes its pixels square by enlarging it in one direction', async () => {
    for (const [rotation, display, size] of /** @type {[number, [number, number], [number, number]][]} */ ([
      // Pixels with an aspect ratio of 4:3, as in a 16:9 video of 96x72 pixels.
      [0, [128, 72], [128, 72]],
      [90, [72, 128], [72, 128]],
      // 3:4 pixels.
      [180, [96, 96], [96, 96]],
      // Only the aspect ratio of the display size matters, since a track can request a smaller size.
      [270, [36, 64], [72, 128]],
      // The display size is rounded to whole pixels, so it is only approximate.
      [0, [48, 37], [96, 72]],
      [0, [64, 48], [96, 72]],
    ])) {
      const fake = new FakeFrame('I420', 96, 72, (x, _y, index) => (index ? 128 : x < 48 ? 40 : 200));
      Object.assign(fake, { rotation, displayWidth: display[0], displayHeight: display[1] });
      const arena = new Arena(100_000);

      const image = await new FrameReader(arena).read(fake.frame);

      assert.ok(image);
      assert.deepEqual(size, [image.width, image.height]);
      const [first] = plane(arena.memory, image, 0);
      assert.ok(first);
      const left = { 0: 40, 90: 40, 180: 200, 270: 200 }[rotation];
      assert.equal(left, first[0]);
      assert.equal(rotation % 180 ? left : 240 - Number(left), first.at(-1));
    }
  });

  test('limits the memory for extreme display sizes', async () => {
    for (const [displayWidth, displayHeight, ...size] of [
      [60_000, 1, 256, 36],
      [1, 60_000, 64, 144],
    ]) {
      const fake = new FakeFrame('I420', 64, 36, noise);
      Object.assign(fake, { displayWidth, displayHeight });

      const image = await new FrameReader(new Arena(100_000)).read(fake.frame);

      assert.ok(image);
      assert.deepEqual(size, [image.width, image.height]);
    }
  });

  test('uses no more memory for a turned frame than for its image once it is read', async () => {
    const arena = new Arena(2 * imageBytes(64, 36));
    const reader = new FrameReader(arena);
    const fake = new FakeFrame('I420', 64, 36, noise);
    Object.assign(fake, { rotation: 90, displayWidth: 36, displayHeight: 64 });

    for (let frame = 0; frame < 5; frame += 1) {
      const image = await reader.read(fake.frame);
      assert.ok(image);
      arena.free(image);
    }

    taken(arena, 64, 36);
    assert.equal(null, await reader.read(fake.frame));
    // The frame that did not fit has released its memory.
    assert.ok(arena.allocate(64, 36));
  });

  test('does not close the frame, which the caller must close', async () => {
    const fake = new FakeFrame('I420', 8, 8, noise);

    await new FrameReader(new Arena(10_000)).read(fake.frame);

    assert.equal(false, fake.closed);
  });

  test('returns null if the arena is full', async () => {
    const reader = new FrameReader(new Arena(100));

    assert.equal(null, await reader.read(new FakeFrame('I420', 64, 36, noise).frame));
  });

  test("releases the image's memory if it fails", async () => {
    const arena = new Arena(imageBytes(64, 36));
    const fake = new FakeFrame('NV12', 64, 36, noise);
    fake.ready = Promise.reject(new DOMException('closed', 'InvalidStateError'));

    await assert.rejects(new FrameReader(arena).read(fake.frame), { name: 'InvalidStateError' });
    assert.ok(arena.allocate(64, 36));
  });

  test('does not affect frames that are read in parallel', async () => {
    const arena = new Arena(1_000_000);
    const reader = new FrameReader(arena);
    const fakes = ['NV12', 'NV12', 'RGBA', 'I420A', 'NV12'].map(
      (format, index) => new FakeFrame(format, 64 - 2 * index, 36, () => 10 * (index + 1)),
    );
    for (const fake of fakes) fake.ready = settled();

    const images = await Promise.all(fakes.map((fake) => reader.read(fake.frame)));

    const lumas = images.map((image) => new Set(image ? plane(arena.memory, image, 0).flat() : []));
    // In RGB, the third frame is gray 30, which is luma 42.
    assert.deepEqual(
      [10, 20, 42, 40, 50].map((luma) => new Set([luma])),
      lumas,
    );
  });
});
