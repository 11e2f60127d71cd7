import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { RoomClock, pageNow, workerName } from '../../src/shared/clock.js';
import { dice } from '../support/dice.js';

test('the page time is counted from 1970 and never decreases', () => {
  const times = Array.from({ length: 1000 }, pageNow);

  assert.ok(Math.abs(Date.now() - Number(times[0])) < 1000);
  assert.ok(times.every((time, index) => index === 0 || time >= Number(times[index - 1])));
});

describe("a worker's clock", () => {
  const HOUR = 3_600_000;

  /** Loads the module again as in a worker with this name. @param {string} name */
  async function clockOf(name) {
    const worker = /** @type {{name?: string}} */ (/** @type {unknown} */ (globalThis));
    worker.name = name;
    try {
      const module = String(new URL(`../../src/shared/clock.js?name=${name}`, import.meta.url));
      return await /** @type {Promise<typeof import('../../src/shared/clock.js')>} */ (import(module));
    } finally {
      delete worker.name;
    }
  }

  test("equals the window's clock", async () => {
    const before = pageNow();
    const now = (await clockOf(workerName())).pageNow();

    assert.match(workerName(), /^harness-clock:/);
    assert.ok(before <= now && now <= pageNow());
  });

  for (const [set, name] of /** @type {const} */ ([
    [-HOUR, 'back'],
    [HOUR, 'forward'],
  ])) {
    test(`equals the window's clock after the wall clock was set ${name}`, async () => {
      const clock = await clockOf(`harness-clock:${set}`);

      assert.ok(Math.abs(clock.pageNow() - pageNow() + set) < 100);
    });
  }

  test("is the thread's own clock if a test library has replaced the wall clock", async () => {
    const { now } = Date;
    Date.now = () => 0;
    const name = workerName();
    Date.now = now;
    const clock = await clockOf(name);

    assert.equal('', name);
    assert.ok(Math.abs(clock.pageNow() - pageNow()) < 100);
  });

  test('ignores the names of other workers', async () => {
    const clock = await clockOf('7');

    assert.ok(Math.abs(clock.pageNow() - pageNow()) < 100);
  });
});

describe("the room's clock", () => {
  test('is unknown at first', () => {
    const clock = new RoomClock();

    assert.deepEqual([0, Number.POSITIVE_INFINITY], [clock.offset, clock.error]);
  });

  test('assumes that the server answered halfway between ping and pong', () => {
    const clock = new RoomClock();

    const better = clock.update(1000, 50, 1010);

    assert.equal(true, better);
    assert.deepEqual([-955, 5], [clock.offset, clock.error]);
    assert.equal(45, clock.room(1000));
  });

  test('uses the shortest round trip', () => {
    const clock = new RoomClock();

    const better = [
      clock.update(1000, 50, 1010),
      clock.update(2000, 1060, 2030),
      clock.update(3000, 2051, 3002),
      clock.update(4000, 3050, 4002),
    ];

    assert.deepEqual([true, false, true, false], better);
    assert.deepEqual([-950, 1], [clock.offset, clock.error]);
  });

  test('never deviates by more than its error', () => {
    const roll = dice(1);
    const truth = -123_456.75;
    const clock = new RoomClock();
    for (let sent = 0; sent < 1000; sent += 40) {
      const [way, back] = [roll() * 30, roll() * 30];
      clock.update(sent, sent + way + truth, sent + way + back);

      assert.ok(Math.abs(clock.offset - truth) <= clock.error);
    }
  });

  test('returns the current time by default', () => {
    const clock = new RoomClock();
    clock.update(0, 500, 0);

    const answer = clock.room();

    assert.ok(Math.abs(answer - pageNow() - 500) < 100);
  });
});
