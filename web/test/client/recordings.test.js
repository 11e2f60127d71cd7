import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { LARGE, joined, setUp } from '../support/client.js';
import { allSettled, settled } from '../support/globals.js';

describe('starting', () => {
  test('returns the recording', async (context) => {
    const { client } = await joined(context);

    const { id, mimeType, elapsed, downloaded } = await client.startMediaRecording();

    assert.deepEqual(['id of spool1', 'video/webm;codecs=vp9,opus', []], [id, mimeType, downloaded]);
    assert.ok(elapsed >= 0);
  });

  test('before joining is refused', async (context) => {
    const { client, stages } = setUp(context);

    await assert.rejects(client.startMediaRecording(), { name: 'InvalidStateError', code: 10454 });
    assert.deepEqual([], stages);
  });

  test('without a call is refused, and no stage is created', async (context) => {
    const { client, room, stages } = await joined(context);
    room.refusal = new Error('This page is not in a call.');

    await assert.rejects(client.startMediaRecording(), /not in a call/);
    assert.deepEqual([], stages);
  });

  test('after leaving is refused', async (context) => {
    const { client } = await joined(context);
    await client.leave();

    await assert.rejects(client.startMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });

  test('with an invalid option is refused before anything starts and before the state is checked', async (context) => {
    const { client, stages } = setUp(context);
    const bad = /** @type {RecordOptions} */ ({ recordConfig: { recordVideoFrame: 24 } });

    await assert.rejects(client.startMediaRecording(bad), {
      name: 'ConfigError',
      message: /recordVideoFrame: 24/,
    });
    assert.deepEqual([], stages);
  });

  test('in a browser that cannot record is refused', async (context) => {
    const { client, parts } = await joined(context);
    parts.unsupported = () => 'Use Chrome.';

    await assert.rejects(client.startMediaRecording(), { name: 'NotSupportedError', code: 10450 });
  });

  test('records all participants in the room, and waits for them', async (context) => {
    const { client, room, log } = await joined(context);
    room.enter('bob');
    room.enter('carol');

    await client.startMediaRecording({ recorder: 'all' });

    assert.deepEqual(['mixer1 add alice', 'mixer1 add bob', 'mixer1 add carol'], log.of('mixer1 add'));
    assert.deepEqual(LARGE, room.subscriptions.at(-1)?.['id of bob']);
  });

  test('with recorder "local" records no other participants', async (context) => {
    const { client, room, log } = await joined(context);
    room.enter('bob');

    await client.startMediaRecording({ recorder: 'local' });
    room.enter('carol');

    assert.deepEqual(['mixer1 add alice'], log.of('mixer1 add'));
    assert.equal(null, room.subscriptions.at(-1));
  });

  for (const [what, failing] of /** @type {const} */ ([
    ['the server refuses', ['spool', 'open']],
    ['no bytes come', ['recorder', 'start']],
  ])) {
    test(`closes all stages and ends the subscriptions if ${what}`, async (context) => {
      const { client, room, stages, parts, log, events } = await joined(context);
      const [stage, call] = failing;
      const { createMixer } = parts;
      parts.createMixer = () => {
        const mixer = createMixer();
        Object.assign(stages[0]?.[stage].failing ?? {}, { [call]: new Error('It broke.') });
        return mixer;
      };

      await assert.rejects(client.startMediaRecording(), { message: 'It broke.' });

      assert.deepEqual(['mixer1 close', 'spool1 close'], log.lines.slice(-2));
      assert.deepEqual([null, []], [room.subscriptions.at(-1), events]);
      await assert.rejects(client.stopMediaRecording(), { code: 10454 });
    });
  }

  test('closes the mixer if MediaRecorder cannot be created', async (context) => {
    const { client, room, parts, log } = await joined(context);
    parts.createRecorder = () => {
      throw new DOMException('no such type', 'NotSupportedError');
    };

    await assert.rejects(client.startMediaRecording(), { name: 'NotSupportedError' });

    assert.equal('mixer1 close', log.lines.at(-1));
    assert.equal(null, room.subscriptions.at(-1));
  });

  test('ends the subscriptions if a participant does not arrive', async (context) => {
    const { client, room, stages } = await joined(context);
    room.arrival = new Error('No video from bob.');

    await assert.rejects(client.startMediaRecording(), { message: 'No video from bob.' });

    assert.deepEqual([null, []], [room.subscriptions.at(-1), stages]);
  });
});

describe('starting again', () => {
  test('while recording begins the new recording first, then stops and downloads the old one', async (context) => {
    const { client, log } = await joined(context);
    await client.startMediaRecording();
    log.lines = [];

    const { id, downloaded } = await client.startMediaRecording();

    assert.equal('id of spool2', id);
    assert.deepEqual(
      ['id of spool1'],
      downloaded.map((finished) => finished?.id),
    );
    assert.deepEqual(
      [
        ...[
          'recorder2 start',
          'recorder1 hold',
          'recorder1 stop',
          'spool1 end',
          'spool1 address',
          'download /recordings/spool1',
        ],
        ...['spool1 clean', 'spool1 close'],
      ],
      log.of('recorder', 'download', 'spool1 end', 'spool1 address', 'spool1 c'),
    );
    assert.equal('recording', client.getMediaRecording().state);
  });

  test('downloads a stopped recording first if it was not downloaded yet', async (context) => {
    const { client, log } = await joined(context);
    await client.startMediaRecording();
    await client.stopMediaRecording();
    log.lines = [];

    const { downloaded } = await client.startMediaRecording();

    assert.deepEqual(
      ['id of spool1'],
      downloaded.map((finished) => finished?.id),
    );
    assert.deepEqual(
      ['download /recordings/spool1', 'recorder2 start', 'spool1 clean'],
      log.of('download', 'recorder2', 'spool1 clean'),
    );
  });

  test('does not download the previous recording a second time', async (context) => {
    const { client, log } = await joined(context);
    await client.startMediaRecording();
    await client.downloadMediaRecording();
    log.lines = [];

    const { downloaded } = await client.startMediaRecording();

    assert.deepEqual([[], []], [downloaded, log.of('download')]);
  });

  test('keeps the server’s copy of a recording that the browser does not download', async (context) => {
    const { client, stages, log } = await joined(context);
    /** @type {unknown[]} */
    const messages = [];
    client.on('recording-stalled', (detail) => messages.push(detail));
    await client.startMediaRecording();
    const spool = /** @type {import("../support/stages.js").FakeSpool} */ (stages[0]?.spool);
    spool.undelivered = 'the browser did not request the file within 5 s';

    await client.startMediaRecording();

    assert.deepEqual(['spool1 close'], log.of('spool1 clean', 'spool1 close'));
    assert.equal('recording', client.getMediaRecording().state);
    const message =
      'The browser did not download take.webm (the browser did not request the file within 5 s). The server still has the file: allow this page to download files, and try again.';
    assert.deepEqual([{ id: 'id of spool1', message }], messages);
  });

  test('is refused if the browser does not download a stopped recording', async (context) => {
    const { client, stages, log } = await joined(context);
    await client.startMediaRecording();
    await client.stopMediaRecording();
    const spool = /** @type {import("../support/stages.js").FakeSpool} */ (stages[0]?.spool);
    spool.undelivered = 'the browser did not request the file within 5 s';

    await assert.rejects(client.startMediaRecording(), { message: /The server still has the file/ });

    assert.deepEqual([], log.of('spool1 clean', 'spool1 close', 'spool2'));
    assert.deepEqual(['stopped', 'id of spool1'], [client.getMediaRecording().state, client.recording?.id]);
  });

  test('leaves every copy in the spool to a caller who takes files from there', async (context) => {
    const { client, stages, log } = await joined(context);
    await client.startMediaRecording(undefined, { useSpool: true });
    await client.stopMediaRecording();
    const spool = /** @type {import("../support/stages.js").FakeSpool} */ (stages[0]?.spool);
    spool.undelivered = 'the browser did not request the file within 5 s';

    const first = await client.startMediaRecording(undefined, { useSpool: true });
    const second = await client.startMediaRecording(undefined, { useSpool: true });

    assert.deepEqual(
      [
        ['id of spool1', 'the browser did not request the file within 5 s'],
        ['id of spool2', null],
      ],
      [first, second].map(({ released, downloaded }) => [released, downloaded[0]?.failure]),
    );
    assert.deepEqual([], log.of('spool1 clean', 'spool2 clean'));
  });

  test('leaves the old recording in progress if it fails', async (context) => {
    const { client, room, parts } = await joined(context);
    room.enter('bob');
    await client.startMediaRecording();
    parts.createRecorder = () => {
      throw new Error('no more');
    };

    await assert.rejects(client.startMediaRecording(), { message: 'no more' });

    assert.equal('recording', client.getMediaRecording().state);
    assert.ok(room.subscriptions.at(-1)?.['id of bob']);
    assert.equal('id of spool1', (await client.stopMediaRecording()).id);
  });
});

describe('stopping', () => {
  test('returns the finished file and ends the subscriptions', async (context) => {
    const { client, room } = await joined(context);
    await client.startMediaRecording();

    const finished = await client.stopMediaRecording();

    assert.deepEqual(['id of spool1', 'abc', 10], [finished.id, finished.sha256, finished.size]);
    assert.ok(finished.stopToFileMs >= 0);
    assert.equal(null, room.subscriptions.at(-1));
  });

  test('is refused twice, or without a recording in progress', async (context) => {
    const { client } = await joined(context);
    await assert.rejects(client.stopMediaRecording(), { name: 'InvalidStateError', code: 10454 });
    await client.startMediaRecording();
    await client.stopMediaRecording();

    await assert.rejects(client.stopMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });

  test('emits NERTC’s event as well', async (context) => {
    const { client } = await joined(context);
    /** @type {unknown[]} */
    const received = [];
    client.on('@media-recording-stopped', (detail) => received.push(detail));
    await client.startMediaRecording();

    const finished = await client.stopMediaRecording();

    assert.deepEqual([finished], received);
  });
});

describe('downloading', () => {
  test('while recording stops first', async (context) => {
    const { client, log, events } = await joined(context);
    await client.startMediaRecording();

    const finished = await client.downloadMediaRecording();

    assert.equal('id of spool1', finished.id);
    assert.deepEqual(['started', 'stopped', 'downloaded'], events);
    assert.deepEqual(['download /recordings/spool1'], log.of('download'));
  });

  test('can be repeated until the recording is discarded', async (context) => {
    const { client, log } = await joined(context);
    await client.startMediaRecording();

    await client.downloadMediaRecording();
    await client.downloadMediaRecording();
    await client.cleanMediaRecording();

    assert.equal(2, log.of('download').length);
    await assert.rejects(client.downloadMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });

  test('fails with the reason if the browser does not download the file, and can be repeated', async (context) => {
    const { client, stages, events } = await joined(context);
    await client.startMediaRecording();
    const spool = /** @type {import("../support/stages.js").FakeSpool} */ (stages[0]?.spool);
    spool.undelivered = 'the browser did not request the file within 5 s';

    await assert.rejects(client.downloadMediaRecording(), {
      name: 'RecordingError',
      message:
        'The browser did not download take.webm (the browser did not request the file within 5 s). ' +
        'The server still has the file: allow this page to download files, and try again.',
    });
    spool.undelivered = null;
    await client.downloadMediaRecording();

    assert.deepEqual(['started', 'stopped', 'downloaded'], events);
  });

  test('returns the reason to a caller who takes the file from the spool', async (context) => {
    const { client, stages, events } = await joined(context);
    await client.startMediaRecording();
    const spool = /** @type {import("../support/stages.js").FakeSpool} */ (stages[0]?.spool);
    spool.undelivered = 'the browser did not request the file within 5 s';

    const { id, failure } = await client.downloadMediaRecording({ useSpool: true });

    assert.deepEqual(['id of spool1', 'the browser did not request the file within 5 s'], [id, failure]);
    assert.deepEqual(['started', 'stopped'], events);
  });

  test('without a recording is refused', async (context) => {
    const { client } = await joined(context);

    await assert.rejects(client.downloadMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });
});

describe('cleaning', () => {
  test('does nothing the second time or without a recording', async (context) => {
    const { client, log } = await joined(context);
    await client.cleanMediaRecording();
    await client.startMediaRecording();
    await client.stopMediaRecording();

    await client.cleanMediaRecording();
    await client.cleanMediaRecording();

    assert.deepEqual(['spool1 clean'], log.of('spool1 clean'));
  });

  test('while recording stops first', async (context) => {
    const { client, events } = await joined(context);
    await client.startMediaRecording();

    await client.cleanMediaRecording();

    assert.deepEqual(['started', 'stopped', 'cleaned'], events);
  });
});

describe('pausing', () => {
  test('and resuming continue the same recording, which can be stopped while paused', async (context) => {
    const { client, events } = await joined(context);
    await client.startMediaRecording();

    await client.pauseMediaRecording();
    const { state } = client.getMediaRecording();
    await client.resumeMediaRecording();
    await client.pauseMediaRecording();
    await client.stopMediaRecording();

    assert.equal('paused', state);
    assert.deepEqual(['started', 'paused', 'resumed', 'paused', 'stopped'], events);
  });

  test('without a recording in progress is refused, and so is resuming without a pause', async (context) => {
    const { client } = await joined(context);
    await assert.rejects(client.pauseMediaRecording(), { name: 'InvalidStateError', code: 10454 });
    await client.startMediaRecording();

    await assert.rejects(client.resumeMediaRecording(), { name: 'InvalidStateError', code: 10454 });
  });
});

describe('join and leave events that only the page knows about', () => {
  const BOB = /** @type {const} */ ({ event: 'join', participant: 'bob' });

  test('are in the recording from its start, and follow the room', async (context) => {
    const { client, room, log } = await joined(context);
    room.joins = [BOB];

    await client.startMediaRecording();
    room.emit('presence', { event: 'leave', participant: 'bob' });

    const entries = log.of('spool1 event').map((line) => line.split(' ')[2]);
    assert.deepEqual(['join', 'leave'], entries);
  });

  test('are not in a recording of only ourselves', async (context) => {
    const { client, room, log } = await joined(context);

    await client.startMediaRecording({ recorder: 'local' });
    room.emit('presence', BOB);

    assert.deepEqual([], log.of('spool1 event'));
  });
});

/** @param {() => boolean} condition */
async function until(condition) {
  for (let turn = 0; turn < 100 && !condition(); turn += 1) await settled();
  assert.ok(condition());
}

describe('participants who join and leave while recording', () => {
  test('are added to the mix and removed from it', async (context) => {
    const { client, room, log } = await joined(context);
    await client.startMediaRecording();
    log.lines = [];

    const bob = room.enter('bob');
    bob.info.audio = false;
    room.emit('state', /** @type {CallParticipant} */ (bob));
    room.participants.delete(bob.id);
    room.emit('left', /** @type {CallParticipant} */ (bob));

    assert.deepEqual(['mixer1 add bob', 'mixer1 update bob', 'mixer1 remove id of bob'], log.lines);
  });

  test('are added while the recording begins', async (context) => {
    const { client, room, stages, log } = await joined(context);
    const started = client.startMediaRecording();
    await until(() => stages.length > 0 && log.of('mixer1 add').length > 0);

    room.enter('bob');
    await started;

    assert.deepEqual(['mixer1 add alice', 'mixer1 add bob'], log.of('mixer1 add'));
  });

  test('do not change a recording that has stopped', async (context) => {
    const { client, room, log } = await joined(context);
    await client.startMediaRecording();
    await client.stopMediaRecording();
    log.lines = [];

    room.enter('bob');

    assert.deepEqual([], log.lines);
  });
});

describe('a recording that breaks by itself', () => {
  test('is reported, and stopping it fails with its error', async (context) => {
    const { client, room, stages, events } = await joined(context);
    await client.startMediaRecording();
    const error = new Error('The spool is closed.');

    stages[0]?.recorder.emit('failed', error);
    await allSettled();

    assert.deepEqual(['started', 'failed'], events);
    assert.equal('failed', client.getMediaRecording().state);
    await assert.rejects(client.stopMediaRecording(), error);
    await assert.rejects(client.downloadMediaRecording(), error);
    assert.equal(null, room.subscriptions.at(-1));
  });

  test('can be cleaned, and another one started', async (context) => {
    const { client, stages, log } = await joined(context);
    await client.startMediaRecording();
    stages[0]?.mixer.emit('failed', new Error('The mixer failed.'));

    await client.cleanMediaRecording();
    const { id } = await client.startMediaRecording();

    assert.equal('id of spool2', id);
    assert.deepEqual(['spool1 close'], log.of('spool1 c'));
  });
});
