import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Emitter } from '../../src/shared/events.js';

/** @typedef {{moved: number, stopped: void}} Events */

test('a listener receives the detail of each of its events', () => {
  const emitter = /** @type {Emitter<Events>} */ (new Emitter());
  /** @type {unknown[]} */
  const received = [];
  emitter.listen('moved', (detail) => received.push(detail));

  emitter.emit('moved', 3);
  emitter.emit('stopped');
  emitter.emit('moved', 4);

  assert.deepEqual([3, 4], received);
});

test('a listener with `once` receives one event', () => {
  const emitter = /** @type {Emitter<Events>} */ (new Emitter());
  let calls = 0;
  emitter.listen('stopped', () => (calls += 1), { once: true });

  emitter.emit('stopped');
  emitter.emit('stopped');

  assert.equal(1, calls);
});

test('an event is a CustomEvent for addEventListener', () => {
  const emitter = /** @type {Emitter<Events>} */ (new Emitter());
  /** @type {unknown[]} */
  const received = [];
  emitter.addEventListener('moved', (event) => received.push(event instanceof CustomEvent && event.detail));

  emitter.emit('moved', 3);

  assert.deepEqual([3], received);
});
