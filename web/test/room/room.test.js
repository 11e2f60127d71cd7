import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Room } from '../../src/room/room.js';
import { settled } from '../support/globals.js';
import { FakeMesh, FakeSignaling, HELLO, LARGE, SMALL, enter, member } from '../support/room.js';

/** @typedef {import('../../src/room/signaling.js').Signaling} Signaling */
/** @typedef {import('../../src/room/transport/mesh.js').Mesh} Mesh */

test('late frames are reported to the server', async () => {
  const { room, signaling } = await enter([]);

  room.reportLate({ marker: 4, counters: [7, 8] });

  assert.deepEqual({ type: 'late-frames', marker: 4, counters: [7, 8] }, signaling.sent.at(-1));
});

describe('entering', () => {
  test('returns our own information and the participants', async () => {
    const { room, mesh } = await enter([member('bob')]);

    assert.deepEqual(['me', 'alice 2', 4, 's'], [room.id, room.name, room.marker, room.spoolToken]);
    assert.deepEqual(
      ['bob'],
      [...room.participants.values()].map(({ name }) => name),
    );
    assert.deepEqual(['me', [{ urls: 'stun:x' }]], [mesh.options.id, mesh.options.configuration.iceServers]);
  });

  test('fails with the error of signaling', async () => {
    const signaling = new FakeSignaling();
    const room = new Room(/** @type {Signaling} */ (/** @type {unknown} */ (signaling)), () =>
      assert.fail('a mesh'),
    );

    signaling.welcome.reject(new Error('Not admitted.'));

    await assert.rejects(room.join(HELLO), { message: 'Not admitted.' });
  });

  test('handles joins and leaves that happen in the meantime', async () => {
    const signaling = new FakeSignaling();
    const room = new Room(
      /** @type {Signaling} */ (/** @type {unknown} */ (signaling)),
      (options) => /** @type {Mesh} */ (/** @type {unknown} */ (new FakeMesh(options))),
    );
    const joined = room.join(HELLO);

    await signaling.deliver({ type: 'left', id: 'id of bob', reason: 'left' });
    await signaling.deliver({ type: 'joined', member: member('carol') });
    signaling.welcome.resolve({
      type: 'welcome',
      id: 'me',
      room: 'daily',
      name: 'alice',
      marker: 0,
      members: [member('bob')],
      spool_token: 's',
      resume: 'r',
      ice_servers: [],
      ice_policy: 'all',
      sfu: null,
      recordings: null,
    });
    await joined;
    await settled();

    assert.deepEqual(
      ['carol'],
      [...room.participants.values()].map(({ name }) => name),
    );
  });
});

describe('a message of the server', () => {
  test('about a new participant is passed on, and we send our media to them', async () => {
    const { room, signaling, mesh, events } = await enter([]);

    await signaling.deliver({ type: 'joined', member: member('bob', { subscriptions: { '*': SMALL } }) });
    await settled();

    assert.deepEqual(['joined bob', 'requested'], events);
    assert.equal('bob', room.participants.get('id of bob')?.name);
    assert.deepEqual([['setRequestedSize', 'id of bob', SMALL]], mesh.calls);
  });

  test('about a participant who left is passed on, and their connection is closed', async () => {
    const { room, signaling, mesh, events } = await enter([member('bob')]);

    await signaling.deliver({ type: 'left', id: 'id of bob', reason: 'left' });
    await signaling.deliver({ type: 'left', id: 'an unknown member', reason: 'left' });

    assert.deepEqual(['left bob'], events);
    assert.equal(0, room.participants.size);
    assert.deepEqual(['remove', 'id of bob'], mesh.calls[0]);
  });

  test('about microphone, camera and screen is passed on', async () => {
    const { room, signaling, events } = await enter([member('bob')]);

    await signaling.deliver({
      type: 'state',
      id: 'id of bob',
      audio: false,
      video: true,
      screen: true,
      connected: true,
    });
    await signaling.deliver({
      type: 'state',
      id: 'an unknown member',
      audio: false,
      video: true,
      screen: true,
      connected: true,
    });

    const { audio, video, screen } = room.participants.get('id of bob')?.info ?? assert.fail();
    assert.deepEqual([false, true, true], [audio, video, screen]);
    assert.deepEqual(['state bob'], events);
  });

  test('about other subscriptions changes what we send', async () => {
    const { room, signaling, mesh, events } = await enter([member('bob')]);

    await signaling.deliver({ type: 'subscribe', id: 'id of bob', subscriptions: { me: LARGE } });
    await signaling.deliver({ type: 'subscribe', id: 'an unknown member', subscriptions: { me: LARGE } });
    await settled();

    assert.deepEqual(['requested'], events);
    assert.deepEqual([['setRequestedSize', 'id of bob', LARGE]], mesh.calls);
    assert.deepEqual(LARGE, room.requestedSize());
  });

  test('from another participant reaches the mesh, and our message reaches them', async () => {
    const { signaling, mesh } = await enter([member('bob')]);
    const data = { candidate: { candidate: 'x' } };

    await signaling.deliver({ type: 'signal', from: 'id of bob', data });
    await settled();
    mesh.options.send('id of bob', data);

    assert.deepEqual([['handle', 'id of bob', data]], mesh.calls);
    assert.deepEqual([{ type: 'signal', to: 'id of bob', data }], signaling.sent);
  });
});

test('arriving tracks are assigned to their participant', async () => {
  const { room, mesh, events } = await enter([member('bob')]);
  const track = (/** @type {string} */ id, /** @type {string} */ kind) =>
    mesh.emit('track', { id, track: /** @type {MediaStreamTrack} */ ({ kind }) });

  track('id of bob', 'video');
  track('id of bob', 'audio');
  track('an unknown member', 'video');

  const { videoTrack, audioTrack } = room.participants.get('id of bob') ?? assert.fail();
  assert.deepEqual(['video', 'audio'], [videoTrack?.kind, audioTrack?.kind]);
  assert.deepEqual(['track bob', 'track bob'], events);
});

describe('the skew of a participant', () => {
  test('is the travel time of their audio minus that of their video', async () => {
    const { room, mesh } = await enter([member('bob')]);
    mesh.travels.set('id of bob', { video: 1011, audio: 1062 });
    mesh.reports.set('id of bob', [
      { type: 'inbound-rtp', kind: 'video', estimatedPlayoutTimestamp: 5200 },
      { type: 'inbound-rtp', kind: 'audio', estimatedPlayoutTimestamp: 5000 },
    ]);

    assert.equal(51, await room.skew('id of bob'));
  });

  test('is the difference of the estimated playout times if there are no capture times', async () => {
    const { room, mesh } = await enter([member('bob')]);
    mesh.reports.set('id of bob', [
      { type: 'inbound-rtp', kind: 'video', estimatedPlayoutTimestamp: 5200 },
      { type: 'inbound-rtp', kind: 'audio', estimatedPlayoutTimestamp: 5050 },
      { type: 'outbound-rtp', kind: 'audio', estimatedPlayoutTimestamp: 1 },
    ]);

    assert.equal(150, await room.skew('id of bob'));
  });

  test('is unknown while one of the times is', async () => {
    const { room, mesh } = await enter([member('bob')]);
    mesh.travels.set('id of bob', { audio: 1062 });
    mesh.reports.set('id of bob', [{ type: 'inbound-rtp', kind: 'video', estimatedPlayoutTimestamp: 5200 }]);

    assert.deepEqual([null, null], [await room.skew('id of bob'), await room.skew('an unknown member')]);
  });
});

test('statistics use the W3C’s names and cover every connection', async () => {
  const { room, mesh } = await enter([member('bob'), member('carol')]);
  mesh.reports.set('id of bob', [
    { id: 'I1', type: 'inbound-rtp', kind: 'video', framesDecoded: 30, decoderImplementation: 'libvpx' },
    { id: 'P1', type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.002 },
    { id: 'P2', type: 'candidate-pair', nominated: false, currentRoundTripTime: 9 },
    { id: 'C1', type: 'codec' },
  ]);

  assert.deepEqual(
    [
      {
        participant: 'bob',
        report: [
          { type: 'inbound-rtp', kind: 'video', framesDecoded: 30 },
          { type: 'candidate-pair', currentRoundTripTime: 0.002 },
        ],
      },
    ],
    await room.statistics(),
  );
});

test('a broken and a recovered connection are reported once each', async () => {
  const { mesh, events } = await enter([member('bob')]);

  for (const state of /** @type {const} */ ([
    'connecting',
    'connected',
    'disconnected',
    'failed',
    'connecting',
    'connected',
  ]))
    mesh.emit('state', { id: 'id of bob', state });

  assert.deepEqual(['disconnected bob', 'reconnected bob'], events);
});

test('a resumed connection to the server reconnects the other participants', async () => {
  const { mesh, signaling } = await enter([member('bob')]);

  signaling.emit('resumed');

  assert.deepEqual(['reconnect'], mesh.calls.at(-1));
});

test('the requested size of our video is the largest subscription', async () => {
  const { room } = await enter([
    member('bob', { subscriptions: { '*': SMALL } }),
    member('carol', { subscriptions: { me: LARGE } }),
    member('dave'),
  ]);

  assert.deepEqual(LARGE, room.requestedSize());
});

test('leaving is announced and closes every connection', async () => {
  const { room, signaling, mesh } = await enter([member('bob')]);

  room.leave();

  assert.deepEqual({ type: 'bye' }, signaling.sent.at(-1));
  assert.deepEqual([true, ['close'], 0], [signaling.closed, mesh.calls.at(-1), room.participants.size]);
});

test('the clock and the end of signaling are passed on', async () => {
  const { signaling, events } = await enter([]);

  signaling.emit('clock');
  signaling.emit('closed');

  assert.deepEqual(['clock', 'closed'], events);
});

describe('a participant who joined through another server', () => {
  const CAROL = member('carol', { marker: 7 });

  test('causes a join event from the page, since the server does not know about them', async () => {
    const { room, mesh } = await enter([member('bob')]);
    /** @type {PresenceEntry[]} */
    const entries = [];
    room.listen('presence', (entry) => entries.push(entry));

    mesh.emit('joined', CAROL);
    mesh.emit('left', CAROL.id);

    assert.deepEqual(
      [
        { event: 'join', participant: 'carol', remote_server: true, marker: 7 },
        { event: 'leave', participant: 'carol', remote_server: true },
      ],
      entries,
    );
  });

  test('is in the join events of a recording of all participants', async () => {
    const { room, mesh } = await enter([member('bob')]);

    mesh.emit('joined', CAROL);

    const entry = { event: 'join', participant: 'carol', remote_server: true, marker: 7 };
    assert.deepEqual([[entry], []], [room.presence('all'), room.presence('local')]);
  });

  test('gets a unique name', async () => {
    const { room, mesh } = await enter([member('bob')]);

    mesh.emit('joined', member('bob', { id: 'another bob' }));

    assert.equal('bob 2', room.participants.get('another bob')?.name);
  });
});
