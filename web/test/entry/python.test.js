import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { pythonCalls } from '../../src/entry/python.js';
import { HarnessError } from '../../src/shared/errors.js';
import { replaceGlobal, settled } from '../support/globals.js';

/** A fake client that answers each call as the test specifies. */
class FakeClient extends EventTarget {
  /** @type {unknown[]} */
  asked = [];
  /** @type {(argument: unknown) => unknown} */
  answer = () => undefined;

  /** @param {string} name @param {(detail: unknown) => void} handler */
  on(name, handler) {
    this.addEventListener(name, (event) => handler(/** @type {CustomEvent<unknown>} */ (event).detail));
  }

  /** @param {unknown} argument */
  async join(argument) {
    this.asked.push(argument);
    await settled();
    return this.answer(argument);
  }

  /** @param {unknown[]} given */
  startMediaRecording(...given) {
    this.asked.push(given);
  }

  /** @param {unknown[]} given */
  downloadMediaRecording(...given) {
    this.asked.push(given);
  }

  /** @param {unknown} argument */
  setMicrophone(argument) {
    this.asked.push(argument);
    return this.answer(argument);
  }
}

function setUp() {
  const client = new FakeClient();
  const harness = pythonCalls(
    /** @type {import('../../src/client/client.js').Client} */ (/** @type {unknown} */ (client)),
  );
  return { client, harness };
}

describe('an answer', () => {
  test('contains the result of the call', async () => {
    const { client, harness } = setUp();
    client.answer = (argument) => ({ echo: argument });

    const answer = await harness.call('join', { name: 'alice' });

    assert.deepEqual({ ok: true, value: { echo: { name: 'alice' } } }, answer);
    assert.deepEqual([{ name: 'alice' }], client.asked);
  });

  test('of a recording call leaves files that the browser does not download in the spool', async () => {
    const { client, harness } = setUp();

    await harness.call('startMediaRecording', { recorder: 'all' });
    await harness.call('downloadMediaRecording', undefined);

    assert.deepEqual([[{ recorder: 'all' }, { useSpool: true }], [{ useSpool: true }]], client.asked);
  });

  test('is null if the call returns nothing', async () => {
    const { harness } = setUp();

    assert.deepEqual({ ok: true, value: null }, await harness.call('setMicrophone', false));
  });

  test('contains name, code and message of an error', async () => {
    const { client, harness } = setUp();
    client.answer = () => {
      throw new HarnessError('InvalidStateError', 'Not in a room.', 10454);
    };

    const answer = await harness.call('join', {});

    assert.deepEqual(
      { ok: false, error: { name: 'InvalidStateError', code: 10454, message: 'Not in a room.' } },
      answer,
    );
  });

  for (const [thrown, error] of /** @type {[unknown, object][]} */ ([
    [new DOMException('gone', 'NotFoundError'), { name: 'NotFoundError', code: 8, message: 'gone' }],
    [new TypeError('no'), { name: 'TypeError', code: null, message: 'no' }],
    ['a text', { name: 'Error', code: null, message: 'a text' }],
    [{ code: 'E1' }, { name: 'Error', code: null, message: '[object Object]' }],
    [null, { name: 'Error', code: null, message: 'null' }],
    [undefined, { name: 'Error', code: null, message: 'undefined' }],
  ])) {
    test(`contains the error if a call throws ${String(thrown)}`, async () => {
      const { client, harness } = setUp();
      client.answer = () => {
        throw thrown;
      };

      assert.deepEqual({ ok: false, error }, await harness.call('join', {}));
      assert.deepEqual({ ok: false, error }, await harness.call('setMicrophone', true));
    });
  }

  for (const name of ['dance', 'constructor', 'asked', '#join', 'dispatchEvent', '__proto__', '']) {
    test(`is an error for the unknown call ${JSON.stringify(name)}`, async () => {
      const { harness } = setUp();

      const answer = await harness.call(name, {});

      assert.deepEqual(
        { ok: false, error: { name: 'Error', code: null, message: `There is no method named ${name}.` } },
        answer,
      );
    });
  }
});

test('begun calls can be finished in any order', async () => {
  const { client, harness } = setUp();
  client.answer = (argument) => argument;

  const [first, second] = [harness.begin('join', 1), harness.begin('join', 2)];
  const answers = [await harness.finish(second), await harness.finish(first)];

  assert.notEqual(first, second);
  assert.deepEqual(
    [2, 1],
    answers.map((answer) => answer?.ok && answer.value),
  );
});

describe("a recording's events", () => {
  test("reach Python's binding as plain data", (context) => {
    /** @type {unknown[]} */
    const received = [];
    replaceGlobal(context, 'harnessEvent', (/** @type {unknown[]} */ ...event) => {
      received.push(event);
      return Promise.resolve();
    });
    const { client } = setUp();

    client.dispatchEvent(new CustomEvent('recording-started', { detail: { id: 'r1' } }));
    client.dispatchEvent(
      new CustomEvent('recording-failed', {
        detail: { id: 'r1', error: new HarnessError('RecordingError', 'It broke.', 10452) },
      }),
    );

    assert.deepEqual(
      [
        ['recording-started', { id: 'r1', message: undefined }],
        ['recording-failed', { id: 'r1', message: 'It broke.', name: 'RecordingError', code: 10452 }],
      ],
      received,
    );
  });

  test('are dropped without a binding', () => {
    const { client } = setUp();

    client.dispatchEvent(new CustomEvent('recording-stopped', { detail: { id: 'r1' } }));
  });
});

test("an observation's progress reaches Python's binding unchanged", (context) => {
  /** @type {unknown[]} */
  const received = [];
  replaceGlobal(context, 'harnessEvent', (/** @type {unknown[]} */ ...event) => {
    received.push(event);
    return Promise.resolve();
  });
  const { client } = setUp();
  const detail = { id: 'o1', number: 1, time: 5, entry: { event: 'alarm', message: 'Lost.' }, ended: false };

  client.dispatchEvent(new CustomEvent('observation', { detail }));

  assert.deepEqual([['observation', detail]], received);
});
