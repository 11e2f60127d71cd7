import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { settled } from '../support/globals.js';
import { LARGE, SMALL, enter, media, member } from '../support/room.js';
import { FakeTime } from '../support/time.js';

describe('publishing', () => {
  test('completes at once if nobody subscribes', async () => {
    const { room, mesh } = await enter([member('bob')]);

    await room.publish(media);

    assert.deepEqual(['publish', 'our stream', LARGE], mesh.calls.at(-1));
  });

  test('waits until every subscriber has received our video and audio', async () => {
    const { room, signaling } = await enter([
      member('bob', { subscriptions: { '*': SMALL } }),
      member('carol', { subscriptions: { me: LARGE } }),
    ]);
    let done = false;
    const published = room.publish(media).then(() => (done = true));

    await settled();
    await signaling.deliver({ type: 'received', from: 'id of bob' });
    await settled();
    const early = done;
    await signaling.deliver({ type: 'received', from: 'id of carol' });
    await published;

    assert.equal(false, early);
  });

  test('does not wait for a participant who has left', async () => {
    const { room, signaling } = await enter([member('bob', { subscriptions: { '*': SMALL } })]);
    const published = room.publish(media);

    await signaling.deliver({ type: 'left', id: 'id of bob', reason: 'connection lost' });

    await published;
  });

  test('names a participant who did not receive us within 20 s', async (context) => {
    const time = new FakeTime(context);
    const { room } = await enter([member('bob', { subscriptions: { '*': SMALL } })]);
    const failed = assert.rejects(room.publish(media), {
      name: 'StepTimeout',
      message: /^bob did not receive .* 20 s/,
    });

    await time.pass(20_100);

    await failed;
  });

  test('sends each subscriber the requested size', async (context) => {
    const time = new FakeTime(context);
    const { room, mesh } = await enter([
      member('bob', { subscriptions: { '*': SMALL } }),
      member('carol', { subscriptions: { me: LARGE, '*': SMALL } }),
      member('dave', { subscriptions: { 'id of bob': LARGE } }),
    ]);

    void room.publish(media).catch(() => undefined);
    await time.pass(0);

    assert.deepEqual(
      [
        ['setRequestedSize', 'id of bob', SMALL],
        ['setRequestedSize', 'id of carol', LARGE],
        ['setRequestedSize', 'id of dave', null],
      ],
      mesh.calls.filter((call) => /** @type {unknown[]} */ (call)[0] === 'setRequestedSize'),
    );
    assert.deepEqual(LARGE, room.requestedSize());
  });
});

describe('subscribing', () => {
  test('is announced to the server, and each arrival to the participant', async (context) => {
    const time = new FakeTime(context);
    const { room, signaling, mesh, events } = await enter([member('bob')]);

    room.subscribe({ '*': SMALL });
    const arrived = room.allReceived();
    await time.pass(200);
    const early = signaling.of('received');
    mesh.deliver('id of bob');
    await time.pass(200);
    await arrived;

    assert.deepEqual([{ type: 'subscribe', subscriptions: { '*': SMALL } }], signaling.of('subscribe'));
    assert.deepEqual([], early);
    assert.deepEqual([{ type: 'received', member: 'id of bob' }], signaling.of('received'));
    assert.deepEqual(['received bob'], events);
  });

  test('repeatedly announces each arrival only once', async (context) => {
    const time = new FakeTime(context);
    const { room, signaling, mesh } = await enter([member('bob')]);

    for (let round = 0; round < 5; round += 1) room.subscribe({ '*': SMALL });
    mesh.deliver('id of bob');
    await time.pass(300);

    assert.equal(1, signaling.of('received').length);
  });

  test('waits only for participants that we subscribe to and that send media', async () => {
    const { room } = await enter([member('bob'), member('carol', { audio: false, video: false })], {
      'id of carol': SMALL,
    });

    await room.allReceived();
  });

  test('expects no video from a participant without a camera', async (context) => {
    const time = new FakeTime(context);
    const { room, mesh } = await enter([member('bob', { video: false })], { '*': SMALL });
    mesh.reports.set('id of bob', [{ type: 'inbound-rtp', kind: 'audio', packetsReceived: 3 }]);

    const arrived = room.allReceived();
    await time.pass(200);

    await arrived;
  });

  test('names a participant who did not arrive within 20 s', async (context) => {
    const time = new FakeTime(context);
    const { room, mesh } = await enter([member('bob'), member('carol'), member('dave')], { '*': SMALL });
    mesh.deliver('id of carol');
    const failed = assert.rejects(room.allReceived(), {
      name: 'StepTimeout',
      message: 'No video or audio from bob, dave arrived within 20 s.',
    });

    await time.pass(20_200);

    await failed;
  });

  test('stops waiting for a participant who has left', async (context) => {
    const time = new FakeTime(context);
    const { room, signaling } = await enter([member('bob')], { '*': SMALL });
    const arrived = room.allReceived();

    await signaling.deliver({ type: 'left', id: 'id of bob', reason: 'left' });
    await time.pass(100);

    await arrived;
  });
});
