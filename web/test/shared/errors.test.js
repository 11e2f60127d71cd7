import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  HarnessError,
  cacheError,
  configError,
  invalidState,
  notSupported,
  recordingError,
  stepTimeout,
  within,
} from '../../src/shared/errors.js';
import { FakeTime } from '../support/time.js';

test('every error has its name and NERTC’s code', () => {
  const errors = [configError, notSupported, cacheError, recordingError, invalidState, stepTimeout].map(
    (make) => make('why'),
  );

  assert.deepEqual(
    [
      ['ConfigError', null, 'why'],
      ['NotSupportedError', 10450, 'why'],
      ['RecordingError', 10452, 'why'],
      ['RecordingError', 10453, 'why'],
      ['InvalidStateError', 10454, 'why'],
      ['StepTimeout', null, 'why'],
    ],
    errors.map(({ name, code, message }) => [name, code, message]),
  );
  assert.ok(errors.every((error) => error instanceof HarnessError && error instanceof Error));
});

describe('a promise with a time limit', () => {
  test('resolves with its value', async () => {
    assert.equal(7, await within(Promise.resolve(7), 1000, () => 'never'));
  });

  test('fails with its own error', async () => {
    await assert.rejects(
      within(Promise.reject(new TypeError('no')), 1000, () => 'never'),
      { name: 'TypeError' },
    );
  });

  test('fails with a StepTimeout after the limit, with the current message', async (context) => {
    const time = new FakeTime(context);
    let seen = 'nothing';
    const waiting = assert.rejects(
      within(new Promise(() => undefined), 5000, () => `There was ${seen}.`),
      { name: 'StepTimeout', message: 'There was half of it.' },
    );

    seen = 'half of it';
    await time.pass(5001);

    await waiting;
  });
});
