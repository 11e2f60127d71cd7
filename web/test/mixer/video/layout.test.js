import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { arrange, contain, grid, speaker } from '../../../src/mixer/video/layout.js';

const SIZES = [
  { width: 640, height: 360 },
  { width: 640, height: 480 },
  { width: 1280, height: 720 },
];
const LAYOUTS = { grid, speaker };

/** @param {TileRect} tile */
const edges = ({ x, y, width, height }) => ({ left: x, top: y, right: x + width, bottom: y + height });

/** @param {TileRect} one @param {TileRect} other */
function overlap(one, other) {
  const [a, b] = [edges(one), edges(other)];
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

for (const [name, layout] of Object.entries(LAYOUTS)) {
  describe(`the ${name} of 1 to 16 participants`, () => {
    const cases = SIZES.flatMap(({ width, height }) =>
      Array.from({ length: 16 }, (_, index) => ({ count: index + 1, width, height })),
    );

    test('has a tile for each participant', () => {
      for (const { count, width, height } of cases) {
        const tiles = layout(count, width, height);

        assert.equal(count, tiles.length);
        for (const tile of tiles)
          assert.ok(tile.width >= 32 && tile.height >= 32, JSON.stringify({ count, tile }));
      }
    });

    test('has no overlapping tiles', () => {
      for (const { count, width, height } of cases) {
        const tiles = layout(count, width, height);

        const overlaps = tiles.flatMap((one, index) =>
          tiles.slice(index + 1).filter((other) => overlap(one, other)),
        );
        assert.deepEqual([], overlaps);
      }
    });

    test('is inside the frame, with every edge on an even pixel', () => {
      for (const { count, width, height } of cases) {
        for (const { left, top, right, bottom } of layout(count, width, height).map(edges)) {
          assert.ok(left >= 0 && top >= 0 && right <= width && bottom <= height);
          assert.deepEqual([0, 0, 0, 0], [left % 2, top % 2, right % 2, bottom % 2]);
        }
      }
    });
  });
}

describe('the grid', () => {
  test('is empty without participants', () => {
    assert.deepEqual([], grid(0, 640, 360));
  });

  test('is the whole frame for one participant', () => {
    assert.deepEqual([{ x: 0, y: 0, width: 1280, height: 720 }], grid(1, 1280, 720));
  });

  test('makes all tiles the same size', () => {
    const sizes = new Set(grid(7, 1280, 720).map(({ width, height }) => `${width}x${height}`));

    assert.equal(1, sizes.size);
  });

  test('centers the last row', () => {
    const tiles = grid(3, 640, 360);

    assert.deepEqual({ x: 160, y: 180, width: 320, height: 180 }, tiles[2]);
  });
});

describe('the speaker layout', () => {
  test('makes the first tile the largest', () => {
    const [large, ...small] = speaker(5, 1280, 720);

    assert.equal(4, small.length);
    for (const tile of small) assert.ok(large && tile.width * tile.height < (large.width * large.height) / 4);
  });

  test('gives the large tile to the speaker and keeps the order of the others', () => {
    const tiles = arrange('speaker', ['alice', 'bob', 'carol'], 'bob', { width: 1280, height: 720 });

    const [large, first, second] = speaker(3, 1280, 720);
    assert.deepEqual([first, large, second], [tiles.get('alice'), tiles.get('bob'), tiles.get('carol')]);
  });

  test('gives the large tile to the first participant while nobody speaks, or after the speaker has left', () => {
    for (const speakerId of [null, 'dave']) {
      const tiles = arrange('speaker', ['alice', 'bob'], speakerId, { width: 640, height: 360 });

      assert.deepEqual(speaker(2, 640, 360)[0], tiles.get('alice'));
    }
  });
});

test('a grid does not depend on the speaker', () => {
  const image = { width: 640, height: 360 };

  const tiles = arrange('grid', ['alice', 'bob'], 'bob', image);

  assert.deepEqual(arrange('grid', ['alice', 'bob'], null, image), tiles);
});

describe('an image in a tile', () => {
  const tile = { x: 20, y: 40, width: 320, height: 180 };

  test('fills a tile of the same aspect ratio', () => {
    for (const size of [
      { width: 320, height: 180 },
      { width: 1280, height: 720 },
      { width: 160, height: 90 },
    ]) {
      assert.deepEqual(tile, contain(size, tile));
    }
  });

  test('has bars at its sides in a wider tile', () => {
    assert.deepEqual({ x: 60, y: 40, width: 240, height: 180 }, contain({ width: 640, height: 480 }, tile));
  });

  test('has bars above and below in a narrower tile', () => {
    assert.deepEqual({ x: 20, y: 70, width: 320, height: 120 }, contain({ width: 800, height: 300 }, tile));
  });

  test('is inside its tile, on even pixels and in its own aspect ratio', () => {
    for (let width = 1; width < 2000; width += 37) {
      for (let height = 1; height < 1200; height += 53) {
        const rect = contain({ width, height }, tile);

        const { left, top, right, bottom } = edges(rect);
        assert.ok(left >= 20 && top >= 40 && right <= 340 && bottom <= 220);
        assert.deepEqual([0, 0, 0, 0], [left % 2, top % 2, rect.width % 2, rect.height % 2]);
        // Rounding to even pixels moves each side by at most one pixel.
        const scale = Math.min(320 / width, 180 / height);
        assert.ok(Math.abs(rect.width - width * scale) <= 1 && Math.abs(rect.height - height * scale) <= 1);
      }
    }
  });
});
