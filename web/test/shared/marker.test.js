import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  CHIRP,
  CHIRP_LEVEL,
  COLUMNS,
  COUNTER_PERIOD,
  COUNTS_PER_SECOND,
  ROWS,
  SECONDS,
  bandOf,
  burstAt,
  chirp,
  decode as markerOf,
  encode,
  freeMarker,
  screenMarker,
  spacingOf,
  toneOf,
} from '../../src/shared/marker.js';
import { dice } from '../support/dice.js';

/** Computes CRC-16/CCITT-FALSE from its definition: polynomial 0x1021, initially all ones. @param {number[]} bits */
function crc16(bits) {
  let register = 0xffff;
  for (const bit of bits) {
    const carry = ((register & 0x8000) !== 0) !== (bit === 1);
    register = (register << 1) & 0xffff;
    if (carry) register ^= 0x1021;
  }
  return register;
}

/** @param {number[]} bits */
const number = (bits) => bits.reduce((value, bit) => value * 2 + bit, 0);

/** Reads a strip in the same way as `verify`. @param {Uint8Array} cells */
function decode(cells) {
  const bits = [...cells];
  return {
    marker: number(bits.slice(0, 8)),
    counter: number(bits.slice(8, 26)),
    time: number(bits.slice(26, 48)),
    intact: number(bits.slice(48)) === (crc16(bits.slice(0, 48)) ^ 0x5a5a),
  };
}

/** @param {number} marker @param {number} counter @param {number} time */
function strip(marker, counter, time) {
  const cells = new Uint8Array(ROWS * COLUMNS);
  encode(marker, counter, time, cells);
  return cells;
}

describe('a strip', () => {
  test('returns its marker, and null if a single bit is wrong', () => {
    const cells = strip(137, 98_765, 1_234_567);

    assert.equal(137, markerOf(cells));
    for (let bit = 0; bit < cells.length; bit += 1) {
      const damaged = Uint8Array.from(cells, (cell, index) => (index === bit ? 1 - cell : cell));
      assert.equal(null, markerOf(damaged));
    }
  });

  test('has the checksum of the documented algorithm', () => {
    // The published check value of this CRC algorithm is the CRC of the text "123456789".
    const bits = [...'123456789'].flatMap((sign) =>
      [...sign.charCodeAt(0).toString(2).padStart(8, '0')].map(Number),
    );

    assert.equal(0x29b1, crc16(bits));
  });

  test('contains number, counter and time', () => {
    const roll = dice(1);
    for (let round = 0; round < 500; round += 1) {
      const marker = Math.floor(roll() * 256);
      const counter = Math.floor(roll() * COUNTER_PERIOD);
      const time = Math.floor(roll() * 2 ** 22);

      assert.deepEqual({ marker, counter, time, intact: true }, decode(strip(marker, counter, time)));
    }
  });

  test('contains only zeros and ones, and overwrites earlier values', () => {
    const cells = new Uint8Array(64).fill(7);

    encode(5, 6, 7, cells);

    assert.deepEqual(strip(5, 6, 7), cells);
    assert.ok(cells.every((cell) => cell === 0 || cell === 1));
  });

  test('wraps around if the counter and the time are too large', () => {
    const { counter, time } = decode(strip(1, COUNTER_PERIOD + 3, 2 ** 22 * 1000 + 4));

    assert.deepEqual([3, 4], [counter, time]);
  });

  test('counts a whole number of cycles of the audio marker', () => {
    assert.equal(0, COUNTER_PERIOD % (COUNTS_PER_SECOND * SECONDS));
    assert.ok(COUNTER_PERIOD <= 2 ** 18);
  });

  test('accepts negative and fractional times', () => {
    const times = [-1, -0.4, 0.6].map((at) => decode(strip(1, 1, at)).time);

    assert.deepEqual([2 ** 22 - 1, 0, 1], times);
  });

  test('is invalid if any cell is misread', () => {
    for (let cell = 0; cell < 64; cell += 1) {
      const cells = strip(3, 1234, 56_789);
      cells[cell] = 1 - /** @type {number} */ (cells[cell]);

      assert.equal(false, decode(cells).intact);
    }
  });
});

describe('the audio of a participant', () => {
  test('differs from fifteen others in tone and band', () => {
    const markers = Array.from({ length: 16 }, (_, index) => index);

    assert.equal(16, new Set(markers.map(toneOf)).size);
    assert.equal(16, new Set(markers.map(bandOf)).size);
    // Chirp bands are 240 Hz wide, and the tones are outside these bands.
    for (const marker of markers) assert.ok(toneOf(marker) < 1350 - 120);
    for (const marker of markers.slice(1)) assert.ok(bandOf(marker) - bandOf(marker - 1) > 240);
  });

  test('repeats after sixteen participants', () => {
    assert.deepEqual([toneOf(3), bandOf(3)], [toneOf(19), bandOf(19)]);
  });
});

describe('a free marker', () => {
  test('is the wanted one if nobody has it or its voice', () => {
    assert.equal(5, freeMarker(5, new Set([4, null, 6])));
  });

  test('has a voice that nobody has', () => {
    assert.equal(7, freeMarker(5, new Set([5, 22])));
    assert.equal(0, freeMarker(127, new Set([127])));
  });

  test('shares a voice if more than 16 participants are there', () => {
    const sixteen = new Set(Array.from({ length: 16 }, (_, index) => index));

    assert.equal(16, freeMarker(3, sixteen));
    assert.equal(3, freeMarker(3, new Set(Array.from({ length: 128 }, (_, index) => index))));
  });
});

describe('the audio of a shared screen', () => {
  const participants = Array.from({ length: 128 }, (_, index) => index);
  const screens = participants.map(screenMarker);

  test('has the marker of its participant plus 128', () => {
    assert.deepEqual([128, 131, 255], [0, 3, 127].map(screenMarker));
  });

  test('never has the tone or the band of a participant', () => {
    const most = Math.max(...participants.map(bandOf)) + 120;

    for (const marker of screens) {
      assert.ok(toneOf(marker) > most);
      assert.ok(bandOf(marker) - 120 > Math.max(...screens.map(toneOf)));
    }
    assert.equal(16, new Set(screens.map(toneOf)).size);
    assert.equal(16, new Set(screens.map(bandOf)).size);
  });
});

describe('a chirp', () => {
  const samples = chirp(2, 48_000, 'rising');

  test('lasts 80 ms', () => {
    assert.equal(0.08, CHIRP);
    assert.equal(3840, samples.length);
    assert.equal(3528, chirp(2, 44_100, 'rising').length);
  });

  test('begins and ends in silence, and is loudest in the middle', () => {
    const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    const at = samples.findIndex((sample) => Math.abs(sample) === loudest);

    assert.ok(Math.abs(/** @type {number} */ (samples[0])) < 1e-6);
    assert.ok(Math.abs(/** @type {number} */ (samples.at(-1))) < 1e-6);
    assert.ok(loudest > 0.97 * CHIRP_LEVEL && loudest <= CHIRP_LEVEL);
    // The envelope is flat near its peak, so the largest sample may be a few periods away from the middle.
    assert.ok(Math.abs(at - 1920) < 100);
  });

  test('rises from 120 Hz below the center of its band to 120 Hz above it, or falls', () => {
    for (const [marker, direction, change] of /** @type {const} */ ([
      [0, 'rising', 84],
      [2, 'falling', -84],
      [15, 'rising', 84],
      [130, 'falling', -84],
    ])) {
      const samples = chirp(marker, 48_000, direction);
      // The number of zero crossings equals the number of half periods. Counting over a tenth of the chirp gives
      // the pitch to within 5 %.
      const pitch = (/** @type {number} */ from, /** @type {number} */ to) => {
        const part = samples.subarray(from * samples.length, to * samples.length);
        const crossings = part.filter(
          (sample, index) => index > 0 && sample < 0 !== Number(part[index - 1]) < 0,
        );
        return (crossings.length / 2 / part.length) * 48_000;
      };

      const middle = bandOf(marker);
      assert.ok(Math.abs(pitch(0.05, 0.25) - (middle - change)) < 70);
      assert.ok(Math.abs(pitch(0.4, 0.6) - middle) < 70);
      assert.ok(Math.abs(pitch(0.75, 0.95) - (middle + change)) < 70);
    }
  });
});

describe('a burst', () => {
  const spacings = Array.from({ length: SECONDS }, (_, second) => spacingOf(second));

  test('encodes the second, modulo 16, in the time between its chirps', () => {
    for (let second = 1; second < SECONDS; second += 1)
      assert.ok(Math.abs(spacingOf(second) - spacingOf(second - 1) - 0.04) < 1e-9);
    assert.equal(spacingOf(3), spacingOf(3 + 5 * SECONDS));
  });

  test('starts at the start of its second, with a rising chirp that a falling chirp follows', () => {
    for (const second of [0, 1, 15, 16, 1000]) {
      assert.deepEqual(
        [
          { at: second, direction: 'rising' },
          { at: second + spacingOf(second), direction: 'falling' },
        ],
        burstAt(second),
      );
    }
  });

  test('has two chirps that do not overlap each other or the next burst', () => {
    assert.ok(Math.min(...spacings) >= 2 * CHIRP);
    assert.ok(Math.max(...spacings) + 2 * CHIRP <= 1);
  });
});
