import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { MODULES, SymbolEncoder, symbolSquare } from '../../src/shared/symbol.js';

/** Symbols that `harness/verification/markers/symbol.py` printed, as rows of hexadecimal numbers; black is 1. */
const SYMBOLS = [
  {
    marker: 0,
    counter: 0,
    time: 0,
    rows: '2aaa 2143 3be6 2a81 2a26 3089 24e6 3967 2694 231f 3f34 27ed 3604 3fff',
  },
  {
    marker: 5,
    counter: 12345,
    time: 999999,
    rows: '2aaa 2693 3b7e 2bf9 2d78 345f 3310 3aaf 32d4 2c17 32b0 2ae9 3f04 3fff',
  },
  {
    marker: 49,
    counter: 51404,
    time: 3421494,
    rows: '2aaa 2221 3820 29f7 2bf6 3da7 3c66 2b6f 2c9c 24a7 3250 3479 3eea 3fff',
  },
  {
    marker: 255,
    counter: 262079,
    time: 4194303,
    rows: '2aaa 2043 3bda 29c1 29c0 30cd 230a 318f 3a14 27af 2a70 2bf9 3486 3fff',
  },
];

/** @param {Uint8Array} modules */
const rowsOf = (modules) =>
  Array.from({ length: MODULES }, (_, row) =>
    parseInt([...modules.subarray(row * MODULES, (row + 1) * MODULES)].join(''), 2)
      .toString(16)
      .padStart(4, '0'),
  ).join(' ');

describe('a symbol', () => {
  for (const { marker, counter, time, rows } of SYMBOLS) {
    test(`of marker ${marker} has the modules that verify expects`, () => {
      const modules = new Uint8Array(MODULES * MODULES);

      new SymbolEncoder().encode(marker, counter, time, modules);

      assert.equal(rows, rowsOf(modules));
    });
  }

  test('does not depend on the symbols that were encoded before', () => {
    const encoder = new SymbolEncoder();
    const [first, again] = [new Uint8Array(MODULES * MODULES), new Uint8Array(MODULES * MODULES)];
    encoder.encode(7, 1000, 33_333, first);

    encoder.encode(250, 99, 4, again);
    encoder.encode(7, 1000, 33_333, again);

    assert.deepEqual(first, again);
  });

  test('counts and times start again at 0, as in a strip', () => {
    const encoder = new SymbolEncoder();
    const [first, again] = [new Uint8Array(MODULES * MODULES), new Uint8Array(MODULES * MODULES)];
    encoder.encode(7, 5, 12, first);

    encoder.encode(7 + 256, 262_080 + 5, 2 ** 22 + 12.4, again);

    assert.deepEqual(first, again);
  });
});

test('a symbol with its quiet zone is 0.4 of the height, but at most 0.7 of the width', () => {
  for (const aspect of [16 / 9, 4 / 3, 1, 3 / 4, 9 / 16]) {
    const { x, y, width, height } = symbolSquare(aspect);
    const quiet = (MODULES + 2) / MODULES;

    assert.ok(Math.abs(Math.min(0.4, 0.7 * aspect) - height * quiet) < 1e-9);
    assert.ok(Math.abs(width * aspect - height) < 1e-9);
    assert.ok(Math.abs(x + width / 2 - 0.5) + Math.abs(y + height / 2 - 0.35) < 1e-9);
  }
});
