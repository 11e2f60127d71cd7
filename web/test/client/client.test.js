import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { joined, setUp } from '../support/client.js';

describe('joining', () => {
  test('joins the room and publishes the media', async (context) => {
    const { client, room } = setUp(context);

    const answer = await client.join({ name: 'alice', token: 't', media: 'camera' });

    assert.deepEqual({ id: 'me', marker: 3, name: 'alice' }, answer);
    assert.deepEqual(
      { token: 't', room: null, name: 'alice', code: null, media: 'camera', subscriptions: null },
      room.hello,
    );
    assert.equal('joined', client.state);
  });

  test('accepts NERTC’s option names', async (context) => {
    const { client, room } = setUp(context);

    await client.join({ channelName: 'daily', uid: 17 });

    const { room: channel, name } = /** @type {Record<string, unknown>} */ (room.hello);
    assert.deepEqual(['daily', '17'], [channel, name]);
  });

  test('twice is refused', async (context) => {
    const { client } = await joined(context);

    await assert.rejects(client.join({ name: 'alice' }), { name: 'InvalidStateError', code: 10454 });
  });

  test('leaves the room again if there is no camera', async (context) => {
    const { client, room, parts } = setUp(context);
    parts.openMedia = () => Promise.reject(new DOMException('no camera', 'NotFoundError'));

    await assert.rejects(client.join({ name: 'alice' }), { name: 'NotFoundError' });

    assert.deepEqual([true, 'new'], [room.left, client.state]);
  });

  test('sets the clock of the media to the room’s clock', async (context) => {
    const { room, media } = await joined(context);

    room.clock.update(0, 500, 0);
    room.emit('clock');

    assert.equal(500, media.offset);
  });
});

describe('calls without await', () => {
  test('run in the order in which they were made', async (context) => {
    const { client, log, events } = setUp(context);

    const calls = [
      client.join({ name: 'alice' }),
      client.startMediaRecording({ recorder: 'all' }),
      client.stopMediaRecording(),
      client.downloadMediaRecording(),
      client.cleanMediaRecording(),
      client.leave(),
    ];
    await Promise.all(calls);

    assert.deepEqual(['started', 'stopped', 'downloaded', 'cleaned'], events);
    assert.deepEqual(
      [
        ...['mixer1 add alice', 'mixer1 settled', 'spool1 open', 'recorder1 start'],
        ...['recorder1 hold', 'spool1 ticks 0', 'mixer1 flush', 'recorder1 stop', 'spool1 end'],
        'mixer1 close',
        ...[
          'spool1 address',
          'download /recordings/spool1',
          'spool1 delivery',
          'spool1 clean',
          'spool1 close',
        ],
      ],
      log.lines,
    );
    assert.equal('left', client.state);
  });

  test('continue after a refused call', async (context) => {
    const { client, events } = await joined(context);

    const refused = client.stopMediaRecording();
    const started = client.startMediaRecording();

    await assert.rejects(refused, { code: 10454 });
    await started;
    assert.deepEqual(['started'], events);
  });

  test('return the status of the recording at once', async (context) => {
    const { client, stages } = await joined(context);
    const before = client.getMediaRecording();
    const started = client.startMediaRecording();

    const meanwhile = client.getMediaRecording();
    await started;
    Object.assign(stages[0]?.spool ?? {}, { bytes: 70, acknowledged: 50 });
    const { elapsed, ...after } = client.getMediaRecording();

    const nothing = { state: 'none', id: null, elapsed: 0, bytes: 0, bytesAcknowledged: 0, alarm: null };
    assert.deepEqual([nothing, nothing], [before, meanwhile]);
    assert.deepEqual(
      { state: 'recording', id: 'id of spool1', bytes: 70, bytesAcknowledged: 50, alarm: null },
      after,
    );
    assert.ok(elapsed >= 0);
  });
});

describe('leaving', () => {
  test('ends the recording, which can still be downloaded and discarded', async (context) => {
    const { client, room, media, events } = await joined(context);
    await client.startMediaRecording();

    await client.leave();
    await client.downloadMediaRecording();
    await client.cleanMediaRecording();

    assert.deepEqual(['started', 'stopped', 'downloaded', 'cleaned'], events);
    assert.deepEqual([true, true, 'left'], [room.left, media.closed, client.state]);
  });

  test('does nothing the second time or before a join', async (context) => {
    const { client } = setUp(context);
    await client.leave();
    await client.join({ name: 'alice' });

    await client.leave();
    await client.leave();

    assert.equal('left', client.state);
  });

  test('allows a new join and a new recording', async (context) => {
    const { client } = await joined(context);
    await client.leave();

    await client.join({ name: 'alice' });

    assert.equal('id of spool1', (await client.startMediaRecording()).id);
  });
});

describe('listening, NERTC’s way', () => {
  test('ends for the removed handler only', async (context) => {
    const { client } = await joined(context);
    /** @type {unknown[]} */
    const events = [];
    const handler = (/** @type {unknown} */ detail) => events.push(detail);
    client.on('recording-started', handler);
    client.on('recording-cleaned', handler);

    client.off('recording-started', handler);
    await client.startMediaRecording();
    await client.cleanMediaRecording();

    assert.deepEqual([{ id: 'id of spool1' }], events);
  });

  test('every change emits `changed`', async (context) => {
    const { client, room } = await joined(context);
    let changes = 0;
    client.addEventListener('changed', () => (changes += 1));

    room.enter('bob');
    client.setCamera(false);
    await client.startMediaRecording();

    assert.ok(changes >= 3);
  });
});

describe('watching', () => {
  test('subscribes without a recording, and a recording never requests smaller sizes', async (context) => {
    const { client, room } = await joined(context);
    const huge = { width: 1920, height: 1080, frameRate: 30 };
    room.enter('bob');

    client.watch({ '*': huge });
    const watched = room.subscriptions.at(-1);
    await client.startMediaRecording();
    const recorded = room.subscriptions.at(-1);
    await client.stopMediaRecording();

    assert.deepEqual(
      [{ '*': huge }, huge, { '*': huge }],
      [watched, recorded?.['id of bob'], room.subscriptions.at(-1)],
    );
  });
});
