import assert from 'node:assert/strict';
import { test } from 'node:test';

import { STALLED_AFTER, Watchdog } from '../../src/shared/watchdog.js';
import { FakeTime } from '../support/time.js';

test('a watchdog reports a stall once', (context) => {
  const time = new FakeTime(context);
  const dog = new Watchdog();

  const barks = [0, STALLED_AFTER - 1, 2, 1000, 60_000].map((ms) => {
    time.now += ms;
    return dog.isStalled();
  });

  assert.deepEqual([false, false, true, false, false], barks);
});

test('a watchdog reports nothing while there is progress', (context) => {
  const time = new FakeTime(context);
  const dog = new Watchdog(100);

  for (let round = 0; round < 10; round += 1) {
    time.now += 99;
    assert.equal(false, dog.isStalled());
    dog.feed();
  }
});

test('a watchdog reports another stall after progress', (context) => {
  const time = new FakeTime(context);
  const dog = new Watchdog(100);
  time.now += 101;
  const first = dog.isStalled();

  dog.feed();
  time.now += 101;

  assert.deepEqual([true, true], [first, dog.isStalled()]);
});

test('a stall is reported within two seconds', () => {
  assert.ok(STALLED_AFTER < 2000);
});
