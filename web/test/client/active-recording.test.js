import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { RoomClock } from '../../src/shared/clock.js';
import { recordPlan } from '../../src/client/record-plan.js';
import { ActiveRecording } from '../../src/client/active-recording.js';
import { FakeMixer, FakeRecorder, FakeSpool, Log } from '../support/stages.js';
import { FakeTime } from '../support/time.js';

/** @typedef {import('../../src/client/active-recording.js').Stages} Stages */

/** @param {import('node:test').TestContext} context @param {'audio' | 'video'} [recordType] */
function setUp(context, recordType = 'video') {
  const log = new Log();
  const clock = new RoomClock();
  clock.update(0, -1000, 0);
  const stages = {
    mixer: new FakeMixer(log, 'mixer'),
    spool: new FakeSpool(log, 'spool'),
    recorder: new FakeRecorder(log, 'recorder'),
  };
  const plan = recordPlan({ recordConfig: { recordType, recordVideoQuality: 480 } }, () => true);
  const recording = new ActiveRecording(plan, /** @type {Stages} */ (/** @type {unknown} */ (stages)), clock);
  /** @type {Error[]} */
  const failures = [];
  recording.listen('failed', (error) => failures.push(error));
  // Finish the recording, since its timers run as long as it is in progress.
  context.after(() => recording.finish().catch(() => undefined));
  return { recording, log, failures, ...stages };
}

/** @param {string} name */
const sourceNamed = (name) =>
  /** @type {import('../../src/mixer/mixer.js').Source} */ ({
    id: name,
    name,
    videoTrack: null,
    audioTrack: null,
  });

describe('beginning', () => {
  test('mixes first, then announces, then records', async (context) => {
    const { recording, log } = setUp(context);

    await recording.begin([sourceNamed('alice'), sourceNamed('bob')], { token: 'token' });

    assert.deepEqual(
      ['mixer add alice', 'mixer add bob', 'mixer settled', 'spool open', 'recorder start'],
      log.lines,
    );
    assert.deepEqual(['recording', true, 'id of spool'], [recording.state, recording.running, recording.id]);
  });

  test('describes the recording to the server', async (context) => {
    const { recording, spool } = setUp(context);

    await recording.begin([], { token: 'token', fallbacks: ['gc'] });

    assert.deepEqual(
      {
        token: 'token',
        presence_from_server: true,
        fallbacks: ['gc'],
        recording: null,
        recorder: 'all',
        config: recording.plan.config,
        mime_type: 'video/webm;codecs=vp9,opus',
        width: 640,
        height: 480,
        frame_rate: 15,
        clock: { offset: -1000, error: 0 },
      },
      spool.hello,
    );
  });

  test('an audio recording sends neither size nor frame rate', async (context) => {
    const { recording, spool } = setUp(context, 'audio');

    await recording.begin([], { token: 'token' });

    const { width, height, frame_rate } = /** @type {Record<string, unknown>} */ (spool.hello);
    assert.deepEqual([null, null, null], [width, height, frame_rate]);
  });

  test('holds events back until the server is ready', async (context) => {
    const { recording, mixer, log } = setUp(context);

    const begun = recording.begin([], { token: 'token' });
    mixer.emit('ticks', { first: 0, written: [1] });
    mixer.emit('event', { time: 5000, event: 'audio', participant: 'alice', on: true });
    const early = log.of('spool ticks', 'spool event');
    await begun;
    mixer.emit('ticks', { first: 8, written: [1] });

    assert.deepEqual([], early);
    // Event times are on the room's clock, which is 1000 ms behind the page's clock.
    assert.deepEqual(
      ['spool open', 'spool ticks 0', 'spool event audio 4000', 'recorder start', 'spool ticks 8'],
      log.of('spool', 'recorder'),
    );
  });

  for (const [stage, call] of /** @type {const} */ ([
    ['spool', 'open'],
    ['mixer', 'settled'],
    ['recorder', 'start'],
  ])) {
    test(`closes all stages if ${stage} ${call} fails`, async (context) => {
      const made = setUp(context);
      made[stage].failing[call] = new Error('It broke.');

      await assert.rejects(made.recording.begin([], { token: 'token' }), { message: 'It broke.' });

      assert.deepEqual(['mixer close', 'spool close'], made.log.lines.slice(-2));
      assert.equal('failed', made.recording.state);
    });
  }
});

describe('finishing', () => {
  test('pauses the input, sends the last ticks, stops the recorder, then ends', async (context) => {
    const { recording, log } = setUp(context);
    await recording.begin([], { token: 'token' });
    log.lines = [];

    const finished = await recording.finish();

    assert.deepEqual(
      ['recorder hold', 'spool ticks 0', 'mixer flush', 'recorder stop', 'spool end', 'mixer close'],
      log.lines,
    );
    assert.deepEqual(['stopped', false], [recording.state, recording.running]);
    assert.equal('id of spool', finished.id);
    assert.ok(finished.stopToFileMs >= 0);
  });

  test('stops the recorder even if the mixer does not answer', async (context) => {
    const { recording, log, mixer } = setUp(context);
    await recording.begin([], { token: 'token' });
    mixer.failing['flush'] = new Error('The mixer did not answer.');

    await assert.rejects(recording.finish(), { message: 'The mixer did not answer.' });

    assert.deepEqual(['recorder stop', 'mixer close'], log.lines.slice(-2));
  });

  test('closes the mixer on a failure, and there is nothing to download', async (context) => {
    const { recording, log, spool } = setUp(context);
    await recording.begin([], { token: 'token' });
    spool.failing['end'] = new Error('Nothing can be read.');

    await assert.rejects(recording.finish(), { message: 'Nothing can be read.' });

    assert.equal('mixer close', log.lines.at(-1));
    await assert.rejects(
      recording.download(() => assert.fail('downloaded')),
      { name: 'RecordingError' },
    );
  });
});

test('a download completes when the server has sent the last byte', async (context) => {
  const { recording, log } = setUp(context);
  await recording.begin([], { token: 'token' });
  await recording.finish();
  log.lines = [];

  const finished = await recording.download(({ url }) => {
    log.lines.push(`download ${url}`);
    return Promise.resolve();
  });

  assert.deepEqual(['spool address', 'download /recordings/spool', 'spool delivery'], log.lines);
  assert.deepEqual({ ...recording.finished, failure: null }, finished);
});

describe('discarding', () => {
  test('discards the server’s copy and closes the connection only once', async (context) => {
    const { recording, log } = setUp(context);
    await recording.begin([], { token: 'token' });
    await recording.finish();
    log.lines = [];

    await recording.discard();
    await recording.discard();

    assert.deepEqual(['spool clean', 'spool close'], log.lines);
    assert.equal('cleaned', recording.state);
  });

  test('sends nothing to the server if the recording broke', async (context) => {
    const { recording, log, recorder } = setUp(context);
    await recording.begin([], { token: 'token' });
    recorder.emit('failed', new Error('It broke.'));
    log.lines = [];

    await recording.discard();

    assert.deepEqual(['spool close'], log.lines);
  });
});

describe('a recording that breaks', () => {
  for (const stage of /** @type {const} */ (['mixer', 'recorder'])) {
    test(`is reported once if the ${stage} fails, and the mixer closes`, async (context) => {
      const made = setUp(context);
      await made.recording.begin([], { token: 'token' });
      const error = new Error('It broke.');

      made[stage].emit('failed', error);
      made[stage].emit('failed', new Error('Again.'));

      assert.deepEqual([error], made.failures);
      assert.deepEqual(['failed', false], [made.recording.state, made.recording.running]);
      assert.deepEqual(['mixer close'], made.log.of('mixer close'));
      await assert.rejects(made.recording.finish(), error);
      await assert.rejects(
        made.recording.download(() => assert.fail('downloaded')),
        error,
      );
    });
  }

  test('is ignored after the recording has ended', async (context) => {
    const { recording, recorder, failures } = setUp(context);
    await recording.begin([], { token: 'token' });
    await recording.finish();

    recorder.emit('failed', new Error('Lost connection to the server.'));

    assert.deepEqual([], failures);
    assert.equal('stopped', recording.state);
  });

  test('reports an alarm without data, and continues', async (context) => {
    const { recording, mixer, log } = setUp(context);
    await recording.begin([], { token: 'token' });

    mixer.emit('event', { time: 2000, event: 'alarm', message: 'The video stalled.' });

    assert.deepEqual(['recording', 'The video stalled.'], [recording.state, recording.alarm]);
    assert.deepEqual(['spool event alarm 1000'], log.of('spool event'));
  });
});

describe('pausing', () => {
  test('pauses between two ticks, and notifies the server', async (context) => {
    const time = new FakeTime(context);
    const { recording, log } = setUp(context);
    await recording.begin([], { token: 'token' });
    log.lines = [];

    const paused = recording.pause();
    await time.pass(10);
    await paused;
    const { state } = recording;
    const resumed = recording.resume();
    await time.pass(10);
    await resumed;

    assert.deepEqual(
      [
        ...['mixer nextTick', 'recorder pause', 'spool recorder paused'],
        ...['mixer nextTick', 'recorder resume', 'spool recorder resumed'],
      ],
      log.lines,
    );
    assert.deepEqual(['paused', 'recording'], [state, recording.state]);
  });

  test('does not count as recorded time', async (context) => {
    const time = new FakeTime(context);
    const { recording } = setUp(context);
    assert.equal(0, recording.elapsed);
    await recording.begin([], { token: 'token' });

    await time.pass(1000);
    const paused = recording.pause();
    await time.pass(10);
    await paused;
    await time.pass(5000);
    const [running, still] = [recording.running, Math.round(recording.elapsed)];
    const resumed = recording.resume();
    await time.pass(10);
    await resumed;
    await time.pass(500);
    await recording.finish();
    await time.pass(5000);

    assert.deepEqual([true, 1010, 1510], [running, still, Math.round(recording.elapsed)]);
  });
});
