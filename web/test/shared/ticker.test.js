import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { pageNow } from '../../src/shared/clock.js';
import { dice } from '../support/dice.js';
import { FakeTime } from '../support/time.js';

// If shared memory exists, the ticker sleeps in real time. Otherwise, it uses timers, which the tests replace.
const { SharedArrayBuffer } = globalThis;
Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
const { Ticker } = await import('../../src/shared/ticker.js');
Object.assign(globalThis, { SharedArrayBuffer });

/** @typedef {{tick: number, due: number, at: number}} Beat */

/**
 * Runs a ticker with a step of 10 ms for some time.
 *
 * @param {FakeTime} time
 * @param {number} ms
 * @param {(beat: Beat) => void} [onBeat]
 * @param {number} [origin]
 */
async function run(time, ms, onBeat = () => undefined, origin = pageNow()) {
  /** @type {Beat[]} */
  const beats = [];
  const ticker = new Ticker(10, (tick, due) => {
    const beat = { tick, due, at: pageNow() };
    beats.push(beat);
    onBeat(beat);
  });
  const running = ticker.run(origin);
  await time.pass(ms);
  ticker.stop();
  await time.pass(100);
  await running;
  return { beats, origin };
}

/** @param {Beat[]} beats */
const numbers = (beats) => beats.map(({ tick }) => tick);

describe('a ticker', () => {
  test('calls once per step, at exact multiples of the step', async (context) => {
    const { beats, origin } = await run(new FakeTime(context), 205);

    assert.deepEqual([...Array(21).keys()], numbers(beats));
    for (const { tick, due, at } of beats) {
      assert.equal(origin + tick * 10, due);
      assert.ok(Math.abs(at - due) <= 0.25);
    }
  });

  test('does not drift when its timers are late', async (context) => {
    const time = new FakeTime(context);
    const roll = dice(1);
    time.lateness = () => roll() * 8;

    const { beats, origin } = await run(time, 1005);

    assert.deepEqual([...Array(100).keys()], numbers(beats).slice(0, 100));
    for (const { tick, due, at } of beats) {
      assert.equal(origin + tick * 10, due);
      assert.ok(at >= due - 0.25 && at < due + 8.5);
    }
  });

  test('catches up tick by tick after a short delay', async (context) => {
    const time = new FakeTime(context);

    const { beats } = await run(time, 100, ({ tick }) => {
      if (tick === 3) time.now += 35;
    });

    assert.deepEqual([0, 1, 2, 3, 4, 5, 6, 7, 8], numbers(beats).slice(0, 9));
    assert.ok(Number(beats[4]?.at) - Number(beats[4]?.due) >= 25);
    assert.ok(Number(beats[8]?.at) - Number(beats[8]?.due) <= 0.25);
  });

  test('allows other work between two late ticks', async (context) => {
    const time = new FakeTime(context);
    /** @type {string[]} */
    const order = [];

    await run(time, 60, ({ tick }) => {
      order.push(`tick ${tick}`);
      if (tick === 2) {
        time.now += 25;
        setTimeout(() => order.push('a frame'), 0);
      }
    });

    assert.deepEqual(['tick 2', 'tick 3', 'a frame', 'tick 4'], order.slice(2, 6));
  });

  test('skips the missed ticks after a long delay', async (context) => {
    const time = new FakeTime(context);

    const { beats, origin } = await run(time, 200, ({ tick }) => {
      if (tick === 3) time.now += 100;
    });

    assert.deepEqual([0, 1, 2, 3, 13, 14, 15], numbers(beats).slice(0, 7));
    assert.equal(origin + 130, beats[4]?.due);
  });

  test('skips no more ticks than necessary if its work takes longer than a step', async (context) => {
    const time = new FakeTime(context);

    const { beats, origin } = await run(time, 400, () => {
      time.now += 12;
    });

    const ticks = numbers(beats.filter(({ at }) => at < origin + 400));
    assert.equal(ticks.length, new Set(ticks).size);
    // 33 of 40 steps fit.
    assert.ok(ticks.length >= 30 && ticks.length <= 34, `${ticks.length} ticks`);
  });

  test('waits for its origin', async (context) => {
    const time = new FakeTime(context);
    const origin = pageNow() + 60;

    const { beats } = await run(time, 85, undefined, origin);

    assert.deepEqual(
      [origin, origin + 10, origin + 20],
      beats.map(({ due }) => due),
    );
    assert.ok(Number(beats[0]?.at) >= origin - 0.25);
  });

  test('does not tick after it was stopped', async (context) => {
    const time = new FakeTime(context);
    let count = 0;
    const ticker = new Ticker(5, () => {
      count += 1;
      if (count === 3) ticker.stop();
    });

    const running = ticker.run();
    await time.pass(100);
    await running;

    assert.equal(3, count);
  });
});

test('a ticker keeps its pace in real time', async () => {
  /** @type {Beat[]} */
  const beats = [];
  const ticker = new Ticker(10, (tick, due) => {
    beats.push({ tick, due, at: pageNow() });
    if (beats.length === 15) ticker.stop();
  });

  await ticker.run();

  for (const [index, { tick, due, at }] of beats.entries()) {
    assert.ok(at >= due - 0.25);
    assert.ok(index === 0 || tick > Number(beats[index - 1]?.tick));
  }
});
