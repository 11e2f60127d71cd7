import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { pageNow } from '../../src/shared/clock.js';
import { Health } from '../../src/client/health.js';
import { FakeTime } from '../support/time.js';

/** @param {number} count @param {number} every ms @param {number} end page time */
const ticks = (count, every, end) =>
  Array.from({ length: count }, (_, number) => end - (count - 1 - number) * every);

describe('the health of a recording', () => {
  test('is unknown during the first second', (context) => {
    new FakeTime(context);
    const health = new Health();

    health.addTicks(ticks(10, 33.3, pageNow()));
    health.addAcknowledged(1000);

    assert.deepEqual([null, null], [health.frameRate, health.bitsPerSecond]);
  });

  test('contains the frame rate of the last seconds', (context) => {
    new FakeTime(context);
    const health = new Health();

    health.addTicks(ticks(300, 1000 / 30, pageNow()));

    assert.ok(Math.abs((health.frameRate ?? 0) - 30) < 0.01);
  });

  test('drops when ticks are skipped', (context) => {
    new FakeTime(context);
    const health = new Health();
    const every = 1000 / 30;

    health.addTicks(ticks(90, every, pageNow()).map((at, number) => (number % 2 ? at : null)));

    assert.ok(Math.abs((health.frameRate ?? 0) - 15) < 0.5);
  });

  test('drops when the mixer reports no more ticks', (context) => {
    const time = new FakeTime(context);
    const health = new Health();
    health.addTicks(ticks(90, 1000 / 30, pageNow()));

    time.now += 2700;

    assert.ok((health.frameRate ?? 0) < 20);
  });

  test('contains the bitrate that reaches the server', (context) => {
    const time = new FakeTime(context);
    const health = new Health();

    for (let step = 0; step <= 8; step += 1) {
      health.addAcknowledged(step * 50_000);
      time.now += 250;
    }

    assert.equal(1_600_000, health.bitsPerSecond);
  });
});
