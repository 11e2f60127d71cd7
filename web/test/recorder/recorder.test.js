import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { recordPlan } from '../../src/client/record-plan.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { Emitter } from '../../src/shared/events.js';
import { replaceGlobal, settled } from '../support/globals.js';
import { FakeTime } from '../support/time.js';

/** @typedef {import('../../src/recorder/spool.js').Spool} Spool */

/** A fake MediaRecorder that delivers data when the test requests it. */
class FakeMediaRecorder extends EventTarget {
  /** @type {FakeMediaRecorder | null} */
  static last = null;
  state = 'inactive';
  /** @type {unknown[]} */
  calls = [];

  /** @param {unknown} stream @param {Record<string, unknown>} options */
  constructor(stream, options) {
    super();
    this.stream = stream;
    this.options = options;
    FakeMediaRecorder.last = this;
  }

  /** @param {number} timeslice */
  start(timeslice) {
    this.calls.push(['start', timeslice]);
    this.state = 'recording';
  }

  pause() {
    this.state = 'paused';
  }

  resume() {
    this.state = 'recording';
  }

  stop() {
    this.calls.push(['stop']);
    this.state = 'inactive';
  }

  requestData() {
    queueMicrotask(() => this.give(''));
  }

  /** @param {string} content */
  give(content) {
    this.dispatchEvent(Object.assign(new Event('dataavailable'), { data: new Blob([content]) }));
  }
}

/**
 * A fake spool with the methods that the recorder uses.
 *
 * @extends {Emitter<{ack: {bytes: number, tracks: string[]}, failed: Error}>}
 */
class FakeSpool extends Emitter {
  /** @type {unknown[][]} */
  calls = [];

  /** @param {string} state @param {number} time */
  recorder(state, time) {
    this.calls.push(['recorder', state, time]);
  }

  /** @param {Blob} blob */
  chunk(blob) {
    this.calls.push(['chunk', blob.size]);
  }

  /**
   * The answers to requests for outstanding frames, in order. Once the list of answers has ended, the last answer is
   * used for all further requests.
   *
   * @type {(number | null)[]}
   */
  outstandingFrames = [0];

  outstanding() {
    const [first = 0] =
      this.outstandingFrames.length > 1 ? this.outstandingFrames.splice(0, 1) : this.outstandingFrames;
    return Promise.resolve(first);
  }

  /** @param {string[]} tracks */
  acknowledge(...tracks) {
    this.emit('ack', { bytes: 1, tracks });
  }
}

/** @param {import('node:test').TestContext} context @param {'audio' | 'video'} [recordType] */
function setUp(context, recordType = 'video') {
  replaceGlobal(context, 'MediaRecorder', FakeMediaRecorder);
  const spool = new FakeSpool();
  const plan = recordPlan(
    { recordConfig: { recordType, recordVideoQuality: 720, recordVideoFrame: 30 } },
    () => true,
  );
  const stream = /** @type {MediaStream} */ (/** @type {unknown} */ ({ its: 'stream' }));
  const recorder = new Recorder(stream, /** @type {Spool} */ (/** @type {unknown} */ (spool)), plan);
  const media = FakeMediaRecorder.last ?? assert.fail();
  /** @type {Error[]} */
  const failures = [];
  recorder.listen('failed', (error) => failures.push(error));
  return { recorder, media, spool, stream, failures };
}

/** Returns a recorder that has started recording. @param {import('node:test').TestContext} context */
async function begun(context) {
  const made = setUp(context);
  const started = made.recorder.start();
  made.spool.acknowledge('audio', 'video');
  await started;
  return made;
}

describe('MediaRecorder', () => {
  test('receives the stream, the type and the bitrates of the plan', (context) => {
    const { media, stream } = setUp(context);

    assert.equal(stream, media.stream);
    assert.deepEqual(
      {
        mimeType: 'video/webm;codecs=vp9,opus',
        audioBitsPerSecond: 128_000,
        videoBitsPerSecond: 1_500_000,
        videoKeyFrameIntervalDuration: 2000,
      },
      media.options,
    );
  });

  test('receives no video options when only audio is recorded', (context) => {
    const { media } = setUp(context, 'audio');

    assert.deepEqual({ mimeType: 'audio/webm;codecs=opus', audioBitsPerSecond: 128_000 }, media.options);
  });
});

describe('starting', () => {
  test('completes when the server has data of both tracks', async (context) => {
    const { recorder, spool, media } = setUp(context);
    let done = false;
    const started = recorder.start().then(() => (done = true));

    spool.acknowledge('audio');
    await settled();
    const early = done;
    spool.acknowledge('audio', 'video');
    await started;

    assert.equal(false, early);
    assert.deepEqual([['start', 100]], media.calls);
    assert.deepEqual([['recorder', 'started', recorder.startedAt]], spool.calls);
    assert.ok(recorder.startedAt > 0);
  });

  test('does not wait for video in an audio recording', async (context) => {
    const { recorder, spool } = setUp(context, 'audio');
    const started = recorder.start();

    spool.acknowledge('audio');

    await started;
  });

  test('sends its time before the first data', async (context) => {
    const { recorder, spool, media } = setUp(context);
    const started = recorder.start();

    media.give('abc');
    media.give('');
    spool.acknowledge('audio', 'video');
    await started;

    assert.deepEqual(
      [
        ['recorder', 'started', recorder.startedAt],
        ['chunk', 3],
      ],
      spool.calls,
    );
  });

  test('fails after 15 s and names the missing track', async (context) => {
    const time = new FakeTime(context);
    const { recorder, spool } = setUp(context);
    const failed = assert.rejects(recorder.start(), {
      name: 'StepTimeout',
      message: 'The recording did not begin within 15 s: expected audio and video, received audio.',
    });

    spool.acknowledge('audio');
    await time.pass(15_001);

    await failed;
  });

  test('fails when the recording breaks in the meantime', async (context) => {
    const { recorder, media } = setUp(context);
    const failed = assert.rejects(recorder.start(), {
      name: 'RecordingError',
      code: 10453,
      message: /UnknownError/,
    });

    media.dispatchEvent(
      Object.assign(new Event('error'), { error: new DOMException('encoder', 'UnknownError') }),
    );

    await failed;
  });
});

describe('slices', () => {
  /** Returns the sizes of the chunks that were sent to the spool. @param {FakeSpool} spool */
  const sizes = (spool) => spool.calls.filter(([what]) => what === 'chunk').map(([, size]) => size);

  test('are passed on at once until the server has every track, then in pairs', async (context) => {
    const { recorder, spool, media } = setUp(context);
    const started = recorder.start();
    media.give('a');
    media.give('bc');
    spool.acknowledge('audio', 'video');
    await started;

    media.give('def');
    const waiting = sizes(spool);
    media.give('ghij');

    assert.deepEqual([1, 2], waiting);
    assert.deepEqual([1, 2, 7], sizes(spool));
  });

  test('are passed on at once at a pause and at the end', async (context) => {
    const { recorder, spool, media } = setUp(context);
    const started = recorder.start();
    spool.acknowledge('audio', 'video');
    await started;

    media.give('a');
    recorder.pause();
    media.give('bc');
    recorder.resume();
    media.give('def');
    media.stop();
    media.give('ghij');

    assert.deepEqual([1, 2, 7], sizes(spool));
  });
});

describe('stopping', () => {
  test('completes when the spool has the last chunk', async (context) => {
    const { recorder, media, spool } = setUp(context);
    media.state = 'recording';
    let done = false;
    recorder.hold();
    const stopped = recorder.stop().then(() => (done = true));

    await settled();
    media.give('last');
    await settled();
    const early = done;
    media.dispatchEvent(new Event('stop'));
    await stopped;

    assert.equal(false, early);
    assert.deepEqual([['stop']], media.calls);
    assert.deepEqual(
      ['recorder', 'chunk'],
      spool.calls.map(([what]) => what),
    );
  });

  test('completes at once if MediaRecorder is not running', async (context) => {
    const { recorder, media } = setUp(context);

    await recorder.stop();

    assert.deepEqual([], media.calls);
  });

  test('pauses the input first', (context) => {
    const { recorder, media, spool } = setUp(context);
    media.state = 'recording';

    recorder.hold();

    assert.deepEqual(['paused', 'stopped'], [media.state, spool.calls[0]?.[1]]);
  });

  test('does not pause an audio recording, whose encoder is never late', (context) => {
    const { recorder, media } = setUp(context, 'audio');
    media.state = 'recording';

    recorder.hold();

    assert.equal('recording', media.state);
  });

  for (const { what, outstandingFrames, ms } of [
    { what: 'nothing if the encoder keeps up', outstandingFrames: [2], ms: 10 },
    { what: 'a busy encoder until every frame has arrived', outstandingFrames: [20, 12, 3, 0], ms: 160 },
    { what: 'frames in transit, with one more check', outstandingFrames: [9, 2, 2], ms: 110 },
    { what: 'frames that never arrive, for half a second', outstandingFrames: [9, 5], ms: 610 },
    { what: 'nothing if the number is unknown', outstandingFrames: [null], ms: 10 },
  ]) {
    test(`waits for ${what}`, async (context) => {
      const time = new FakeTime(context);
      const made = await begun(context);
      made.spool.outstandingFrames = outstandingFrames;

      made.recorder.hold();
      const stopped = made.recorder.stop();
      await time.pass(ms - 40);
      const early = made.media.calls.length;
      await time.pass(50);
      made.media.dispatchEvent(new Event('stop'));
      await stopped;

      assert.deepEqual(outstandingFrames.slice(-1), made.spool.outstandingFrames);
      if (ms > 50) assert.equal(1, early);
      assert.deepEqual(['stop'], made.media.calls.at(-1));
    });
  }

  test('continues when MediaRecorder delivers no more data', async (context) => {
    const time = new FakeTime(context);
    const { recorder, media } = await begun(context);
    media.requestData = () => undefined;

    recorder.hold();
    const stopped = recorder.stop();
    await time.pass(2600);
    media.dispatchEvent(new Event('stop'));
    await stopped;

    assert.deepEqual(['stop'], media.calls.at(-1));
  });

  test('continues when the spool is closed', async (context) => {
    const { recorder, media, spool } = await begun(context);
    spool.outstanding = () => Promise.reject(new Error('The spool is closed.'));

    recorder.hold();
    const stopped = recorder.stop();
    await settled();
    media.dispatchEvent(new Event('stop'));
    await stopped;

    assert.deepEqual(['stop'], media.calls.at(-1));
  });

  test('fails after 10 s', async (context) => {
    const time = new FakeTime(context);
    const { recorder, media } = setUp(context);
    media.state = 'recording';
    const failed = assert.rejects(recorder.stop(), { name: 'StepTimeout', message: /10 s/ });

    await time.pass(10_001);

    await failed;
  });
});

test('pausing and resuming reach MediaRecorder', (context) => {
  const { recorder, media } = setUp(context);
  media.state = 'recording';

  recorder.pause();
  const paused = recorder.state;
  recorder.resume();

  assert.deepEqual(['paused', 'recording'], [paused, recorder.state]);
});

describe('a recording that breaks', () => {
  test('is reported with NERTC’s error code', (context) => {
    const { media, failures } = setUp(context);

    media.dispatchEvent(
      Object.assign(new Event('error'), { error: new DOMException('encoder', 'UnknownError') }),
    );

    assert.deepEqual(
      [['RecordingError', 10453]],
      failures.map((error) => [error.name, /** @type {Error & {code?: number}} */ (error).code]),
    );
  });

  test("is reported with the spool's error if the spool breaks", (context) => {
    const { spool, failures } = setUp(context);
    const error = new Error('Lost connection to the server.');

    spool.emit('failed', error);

    assert.deepEqual([error], failures);
  });
});
