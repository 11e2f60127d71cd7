import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { RingPlayer } from '../../../src/mixer/audio/ring-player.js';
import { Ring, SAMPLE_RATE } from '../../../src/mixer/audio/ring.js';
import { dice } from '../../support/dice.js';

const PIECE = 480;
const QUANTUM = 128;

/**
 * Plays audio whose samples are numbered from 1; returns the sample that is played at each audio frame.
 *
 * @param {object} how the options for the playback
 * @param {number} [how.seconds]
 * @param {number} [how.delay] ms
 * @param {(piece: number) => number} [how.late] how late a piece arrives, in audio frames
 * @param {(frame: number, player: RingPlayer) => void} [how.meanwhile]
 */
function play({ seconds = 4, delay = 80, late = () => 0, meanwhile = () => undefined }) {
  const ring = new Ring();
  const player = new RingPlayer(ring);
  player.setDelay(delay);
  /** @type {number[]} */
  const played = [];
  let piece = 0;
  let arrived = 0;
  for (let frame = 0; frame < seconds * SAMPLE_RATE; frame += QUANTUM) {
    for (;;) {
      arrived = Math.max(arrived, (piece + 1) * PIECE + late(piece));
      if (arrived > frame) break;
      const samples = Float32Array.from({ length: PIECE }, (_, index) => piece * PIECE + index + 1);
      ring.write(samples, samples);
      piece += 1;
    }
    meanwhile(frame, player);
    const [left, right] = [new Float32Array(QUANTUM), new Float32Array(QUANTUM)];
    player.render(left, right);
    assert.deepEqual(left, right);
    played.push(...left);
  }
  return played;
}

/**
 * Returns the time from each frame's scheduled arrival to its playback, in ms. Silent frames are omitted.
 *
 * @param {number[]} played
 * @param {number} from s
 */
const delays = (played, from) =>
  played.flatMap((sample, frame) =>
    sample && frame >= from * SAMPLE_RATE
      ? [((frame - (sample - 1) - PIECE) * 1000) / SAMPLE_RATE + (PIECE * 500) / SAMPLE_RATE]
      : [],
  );

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** @param {number[]} played @param {number} from s */
const breaks = (played, from) =>
  played
    .slice(from * SAMPLE_RATE)
    .filter((sample, index, rest) => index > 0 && sample - Number(rest[index - 1]) !== 1);

describe('a player', () => {
  test('plays without gaps at the requested distance behind the writer, whenever playback starts', () => {
    for (const delay of [40, 80, 250]) {
      for (let start = 0; start < 4; start += 1) {
        const played = play({ delay, late: () => start * 97 });

        const expected = delay + (start * 97 * 1000) / SAMPLE_RATE;
        assert.ok(
          Math.abs(median(delays(played, 1)) - expected) < 3.5,
          `${median(delays(played, 1))} for ${expected}`,
        );
        assert.deepEqual([], breaks(played, 1));
      }
    }
  });

  test('plays without gaps while pieces are late by less than the delay', () => {
    const roll = dice(3);

    const played = play({ delay: 80, seconds: 20, late: () => Math.floor(roll() * 0.03 * SAMPLE_RATE) });

    // The initial distance is based on the first piece alone, so it is corrected once after some seconds.
    assert.deepEqual([], breaks(played, 6));
  });

  test('plays silence in place of late pieces, and continues at the right position', () => {
    // Half a second of audio arrives late and all at once.
    const played = play({
      seconds: 6,
      late: (piece) => Math.max(0, 250 - piece) * PIECE * Number(piece >= 200),
    });

    const silent = played.slice(2 * SAMPLE_RATE, 3 * SAMPLE_RATE).filter((sample) => sample === 0).length;
    assert.ok(silent > 0.3 * SAMPLE_RATE && silent < 0.55 * SAMPLE_RATE, `${silent}`);
    assert.ok(Math.abs(median(delays(played, 3)) - 80) < 3.5);
    assert.deepEqual([], breaks(played, 5));
  });

  test('applies a new delay at once', () => {
    const played = play({
      seconds: 6,
      meanwhile: (frame, player) => {
        if (frame === 2 * SAMPLE_RATE) player.setDelay(140);
      },
    });

    assert.ok(Math.abs(median(delays(played.slice(0, 2 * SAMPLE_RATE), 1)) - 80) < 3.5);
    assert.ok(Math.abs(median(delays(played, 2.1)) - 140) < 3.5);
    assert.deepEqual([], breaks(played, 2.1));
  });

  test('resumes soon after the track falls behind permanently, even if the delay changes in the meantime', () => {
    // Starting with piece 200, every piece arrives 100 ms late, which is more than the delay. The test also changes the
    // delay constantly.
    const played = play({
      seconds: 6,
      delay: 25,
      late: (piece) => (piece >= 200 ? 4800 : 0),
      meanwhile: (frame, player) => player.setDelay(frame % 1280 ? 25 : 24),
    });

    const silent = played.slice(2 * SAMPLE_RATE).filter((sample) => sample === 0).length;
    assert.ok(silent < 0.4 * SAMPLE_RATE, `${silent}`);
    assert.ok(Math.abs(median(delays(played, 5)) - 125) < 8, `${median(delays(played, 5))}`);
  });

  test('corrects a distance that has changed permanently', () => {
    // Starting with piece 300, every piece arrives 30 ms late, so the distance changes.
    const played = play({ seconds: 12, late: (piece) => (piece >= 300 ? 1440 : 0) });

    assert.ok(Math.abs(median(delays(played, 10)) - 110) < 5.5, `${median(delays(played, 10))}`);
  });

  test('is silent until it has a delay and audio', () => {
    const ring = new Ring();
    const player = new RingPlayer(ring);
    const [left, right] = [new Float32Array(QUANTUM), new Float32Array(QUANTUM)];

    player.render(left, right);
    player.setDelay(50);
    player.render(left, right);

    assert.deepEqual(new Float32Array(QUANTUM), left);
    assert.deepEqual(new Float32Array(QUANTUM), right);
  });
});

describe('a ring', () => {
  test('keeps the last second even when its count wraps around', () => {
    const ring = new Ring();
    new Int32Array(ring.buffer, 0, 1)[0] = 2 ** 31 - 300;
    const start = ring.written;
    for (let piece = 0; piece < 3; piece += 1) {
      const samples = Float32Array.from({ length: PIECE }, (_, index) => piece * PIECE + index + 1);
      ring.write(
        samples,
        samples.map((sample) => -sample),
      );
    }

    const { written } = ring;
    const at = (/** @type {number} */ frame) =>
      [0, 1].map((channel) => ring.sample(channel, (start + frame) | 0, written));

    assert.equal(3 * PIECE, (written - start) | 0);
    assert.deepEqual(
      [
        [1, -1],
        [301, -301],
        [1440, -1440],
      ],
      [at(0), at(300), at(1439)],
    );
    assert.deepEqual(
      [
        [0, 0],
        [0, 0],
      ],
      [at(1440), at(1440 - 70_000)],
    );
  });
});
