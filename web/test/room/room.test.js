import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { RoomClock } from '../../src/shared/clock.js';
import { Room } from '../../src/room/room.js';
import { Emitter } from '../../src/shared/events.js';
import { settled } from '../support/globals.js';
import { FakeTime } from '../support/time.js';

/** @typedef {import('../../src/room/signaling.js').Signaling} Signaling */
/** @typedef {import('../../src/room/transport/mesh.js').Mesh} Mesh */

const SMALL = { width: 320, height: 180, frameRate: 15 };
const LARGE = { width: 1280, height: 720, frameRate: 30 };

/** @param {string} name @param {Partial<MemberInfo>} [facts] @returns {MemberInfo} */
const member = (name, facts) => ({
  id: `id of ${name}`,
  name,
  marker: 1,
  audio: true,
  video: true,
  screen: false,
  subscriptions: null,
  ...facts,
});

/**
 * The server's end: what was sent to it, and what it sends.
 *
 * @extends {Emitter<{message: FromServer, clock: void, resumed: void, closed: void}>}
 */
class FakeSignaling extends Emitter {
  clock = new RoomClock();
  /** @type {ToServer[]} */
  sent = [];
  /** @type {PromiseWithResolvers<Extract<FromServer, {type: 'welcome'}>>} */
  welcome = Promise.withResolvers();
  closed = false;

  open() {
    return this.welcome.promise;
  }

  /** @param {ToServer} message */
  send(message) {
    this.sent.push(message);
  }

  close() {
    this.closed = true;
  }

  /** @param {FromServer} message */
  async say(message) {
    this.emit('message', message);
    await settled();
  }

  /** What was said of one type. @param {string} type */
  of(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

/**
 * Connections to the others, which deliver what the test says.
 *
 * @extends {Emitter<TransportEvents>}
 */
class FakeMesh extends Emitter {
  /** @type {unknown[]} */
  calls = [];
  /** Statistics by member. @type {Map<string, Record<string, unknown>[]>} */
  reports = new Map();
  /** How long pictures and sound travel, by member. @type {Map<string, {video?: number, audio?: number}>} */
  travels = new Map();

  /** @param {TransportOptions} options */
  constructor(options) {
    super();
    this.options = options;
  }

  /** @param {{marker: number}} who */
  enter({ marker }) {
    return Promise.resolve(marker);
  }

  subscribe() {
    return undefined;
  }

  announce() {
    return undefined;
  }

  /** @param {string} id */
  travelTimes(id) {
    return this.travels.get(id) ?? {};
  }

  /** @param {string} id @param {VideoSize | null} size */
  async setRequestedSize(id, size) {
    await settled();
    this.calls.push(['setRequestedSize', id, size]);
  }

  /** @param {unknown} stream @param {() => VideoSize} size */
  async publish(stream, size) {
    await settled();
    this.calls.push(['publish', stream, size()]);
  }

  /** @param {string} from @param {SignalData} data */
  async handleSignal(from, data) {
    await settled();
    this.calls.push(['handle', from, data]);
  }

  /** @param {string} id */
  remove(id) {
    this.calls.push(['remove', id]);
  }

  async refit() {
    await settled();
    this.calls.push(['refit']);
  }

  reconnect() {
    this.calls.push(['reconnect']);
  }

  /** @param {string} id */
  async stats(id) {
    await settled();
    const reports = this.reports.get(id);
    return reports ? new Map(reports.map((report, index) => [String(index), report])) : null;
  }

  close() {
    this.calls.push(['close']);
  }

  /** Lets picture and sound of a member arrive. @param {string} id */
  deliver(id) {
    this.reports.set(id, [
      { type: 'inbound-rtp', kind: 'video', framesDecoded: 1 },
      { type: 'inbound-rtp', kind: 'audio', packetsReceived: 1 },
    ]);
  }
}

const HELLO = { token: null, room: null, name: 'alice', code: null, media: 'synthetic', subscriptions: null };

/**
 * Alice in a room with these people.
 *
 * @param {MemberInfo[]} members
 * @param {Subscriptions} [subscriptions]
 */
async function enter(members, subscriptions = null) {
  const signaling = new FakeSignaling();
  /** @type {FakeMesh[]} */
  const meshes = [];
  const room = new Room(/** @type {Signaling} */ (/** @type {unknown} */ (signaling)), (options) => {
    const mesh = new FakeMesh(options);
    meshes.push(mesh);
    return /** @type {Mesh} */ (/** @type {unknown} */ (mesh));
  });
  /** @type {string[]} */
  const events = [];
  for (const type of /** @type {const} */ ([
    'joined',
    'left',
    'track',
    'state',
    'received',
    'disconnected',
    'reconnected',
  ]))
    room.listen(type, ({ name }) => events.push(`${type} ${name}`));
  for (const type of /** @type {const} */ (['requested', 'clock', 'closed']))
    room.listen(type, () => events.push(type));
  const joined = room.join({ ...HELLO, subscriptions });
  signaling.welcome.resolve({
    type: 'welcome',
    id: 'me',
    room: 'daily',
    name: 'alice 2',
    marker: 4,
    members,
    spool_token: 's',
    resume: 'r',
    recordings: null,
    ice_servers: [{ urls: 'stun:x' }],
    ice_policy: 'all',
    sfu: null,
  });
  await joined;
  const mesh = meshes[0] ?? assert.fail('no mesh');
  return { room, signaling, mesh, events };
}

const media = /** @type {LocalMedia} */ (/** @type {unknown} */ ({ stream: 'our stream', size: LARGE }));

describe('entering', () => {
  test('returns who we are and who is there', async () => {
    const { room, mesh } = await enter([member('bob')]);

    assert.deepEqual(['me', 'alice 2', 4, 's'], [room.id, room.name, room.marker, room.spoolToken]);
    assert.deepEqual(
      ['bob'],
      [...room.participants.values()].map(({ name }) => name),
    );
    assert.deepEqual(['me', [{ urls: 'stun:x' }]], [mesh.options.id, mesh.options.configuration.iceServers]);
  });

  test('fails as signalling fails', async () => {
    const signaling = new FakeSignaling();
    const room = new Room(/** @type {Signaling} */ (/** @type {unknown} */ (signaling)), () =>
      assert.fail('a mesh'),
    );

    signaling.welcome.reject(new Error('Not admitted.'));

    await assert.rejects(room.join(HELLO), { message: 'Not admitted.' });
  });

  test('misses no join or leave in the meantime', async () => {
    const signaling = new FakeSignaling();
    const room = new Room(
      /** @type {Signaling} */ (/** @type {unknown} */ (signaling)),
      (options) => /** @type {Mesh} */ (/** @type {unknown} */ (new FakeMesh(options))),
    );
    const joined = room.join(HELLO);

    await signaling.say({ type: 'left', id: 'id of bob', reason: 'left' });
    await signaling.say({ type: 'joined', member: member('carol') });
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

describe('publishing', () => {
  test('is done at once if nobody subscribes', async () => {
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
    await signaling.say({ type: 'received', from: 'id of bob' });
    await settled();
    const early = done;
    await signaling.say({ type: 'received', from: 'id of carol' });
    await published;

    assert.equal(false, early);
  });

  test('does not wait for a participant who has left', async () => {
    const { room, signaling } = await enter([member('bob', { subscriptions: { '*': SMALL } })]);
    const published = room.publish(media);

    await signaling.say({ type: 'left', id: 'id of bob', reason: 'connection lost' });

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

  test('gives each what they want of us', async (context) => {
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
  test('is announced to the server, and each arrival to its participant', async (context) => {
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

  test('again and again announces each arrival once', async (context) => {
    const time = new FakeTime(context);
    const { room, signaling, mesh } = await enter([member('bob')]);

    for (let round = 0; round < 5; round += 1) room.subscribe({ '*': SMALL });
    mesh.deliver('id of bob');
    await time.pass(300);

    assert.equal(1, signaling.of('received').length);
  });

  test('waits only for participants that we subscribe to and that send something', async () => {
    const { room } = await enter([member('bob'), member('carol', { audio: false, video: false })], {
      'id of carol': SMALL,
    });

    await room.allReceived();
  });

  test('expects no video of a participant without a camera', async (context) => {
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
      message: 'No picture or sound of bob, dave arrived within 20 s.',
    });

    await time.pass(20_200);

    await failed;
  });

  test('stops waiting for a participant who has left', async (context) => {
    const time = new FakeTime(context);
    const { room, signaling } = await enter([member('bob')], { '*': SMALL });
    const arrived = room.allReceived();

    await signaling.say({ type: 'left', id: 'id of bob', reason: 'left' });
    await time.pass(100);

    await arrived;
  });
});

describe('a message of the server', () => {
  test('about a newcomer is passed on, and we send to them', async () => {
    const { room, signaling, mesh, events } = await enter([]);

    await signaling.say({ type: 'joined', member: member('bob', { subscriptions: { '*': SMALL } }) });
    await settled();

    assert.deepEqual(['joined bob', 'requested'], events);
    assert.equal('bob', room.participants.get('id of bob')?.name);
    assert.deepEqual([['setRequestedSize', 'id of bob', SMALL]], mesh.calls);
  });

  test('about a participant who left is passed on, and their connection is closed', async () => {
    const { room, signaling, mesh, events } = await enter([member('bob')]);

    await signaling.say({ type: 'left', id: 'id of bob', reason: 'left' });
    await signaling.say({ type: 'left', id: 'a stranger', reason: 'left' });

    assert.deepEqual(['left bob'], events);
    assert.equal(0, room.participants.size);
    assert.deepEqual(['remove', 'id of bob'], mesh.calls[0]);
  });

  test('about microphone, camera and screen is passed on', async () => {
    const { room, signaling, events } = await enter([member('bob')]);

    await signaling.say({
      type: 'state',
      id: 'id of bob',
      audio: false,
      video: true,
      screen: true,
      connected: true,
    });
    await signaling.say({
      type: 'state',
      id: 'a stranger',
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

    await signaling.say({ type: 'subscribe', id: 'id of bob', subscriptions: { me: LARGE } });
    await signaling.say({ type: 'subscribe', id: 'a stranger', subscriptions: { me: LARGE } });
    await settled();

    assert.deepEqual(['requested'], events);
    assert.deepEqual([['setRequestedSize', 'id of bob', LARGE]], mesh.calls);
    assert.deepEqual(LARGE, room.requestedSize());
  });

  test('from another participant reaches the mesh, and ours reach them', async () => {
    const { signaling, mesh } = await enter([member('bob')]);
    const data = { candidate: { candidate: 'x' } };

    await signaling.say({ type: 'signal', from: 'id of bob', data });
    await settled();
    mesh.options.send('id of bob', data);

    assert.deepEqual([['handle', 'id of bob', data]], mesh.calls);
    assert.deepEqual([{ type: 'signal', to: 'id of bob', data }], signaling.sent);
  });
});

test('tracks that arrive belong to their participant', async () => {
  const { room, mesh, events } = await enter([member('bob')]);
  const track = (/** @type {string} */ id, /** @type {string} */ kind) =>
    mesh.emit('track', { id, track: /** @type {MediaStreamTrack} */ ({ kind }) });

  track('id of bob', 'video');
  track('id of bob', 'audio');
  track('a stranger', 'video');

  const { videoTrack, audioTrack } = room.participants.get('id of bob') ?? assert.fail();
  assert.deepEqual(['video', 'audio'], [videoTrack?.kind, audioTrack?.kind]);
  assert.deepEqual(['track bob', 'track bob'], events);
});

describe('the skew of a participant', () => {
  test('is how much longer their audio travels than their video', async () => {
    const { room, mesh } = await enter([member('bob')]);
    mesh.travels.set('id of bob', { video: 1011, audio: 1062 });
    mesh.reports.set('id of bob', [
      { type: 'inbound-rtp', kind: 'video', estimatedPlayoutTimestamp: 5200 },
      { type: 'inbound-rtp', kind: 'audio', estimatedPlayoutTimestamp: 5000 },
    ]);

    assert.equal(51, await room.skew('id of bob'));
  });

  test('without capture times is how much later their video is estimated to play', async () => {
    const { room, mesh } = await enter([member('bob')]);
    mesh.reports.set('id of bob', [
      { type: 'inbound-rtp', kind: 'video', estimatedPlayoutTimestamp: 5200 },
      { type: 'inbound-rtp', kind: 'audio', estimatedPlayoutTimestamp: 5050 },
      { type: 'outbound-rtp', kind: 'audio', estimatedPlayoutTimestamp: 1 },
    ]);

    assert.equal(150, await room.skew('id of bob'));
  });

  test('is unknown while one of them is', async () => {
    const { room, mesh } = await enter([member('bob')]);
    mesh.travels.set('id of bob', { audio: 1062 });
    mesh.reports.set('id of bob', [{ type: 'inbound-rtp', kind: 'video', estimatedPlayoutTimestamp: 5200 }]);

    assert.deepEqual([null, null], [await room.skew('id of bob'), await room.skew('a stranger')]);
  });
});

test('the statistics are the W3C’s, of everybody there is a connection to', async () => {
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

test('a connection that breaks and is back is reported once each', async () => {
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

test('a resumed connection to the server reconnects to the others', async () => {
  const { mesh, signaling } = await enter([member('bob')]);

  signaling.emit('resumed');

  assert.deepEqual(['reconnect'], mesh.calls.at(-1));
});

test('the largest subscription is the size that is requested of us', async () => {
  const { room } = await enter([
    member('bob', { subscriptions: { '*': SMALL } }),
    member('carol', { subscriptions: { me: LARGE } }),
    member('dave'),
  ]);

  assert.deepEqual(LARGE, room.requestedSize());
});

test('leaving is announced, and closes every connection', async () => {
  const { room, signaling, mesh } = await enter([member('bob')]);

  room.leave();

  assert.deepEqual({ type: 'bye' }, signaling.sent.at(-1));
  assert.deepEqual([true, ['close'], 0], [signaling.closed, mesh.calls.at(-1), room.participants.size]);
});

test('clock and end of signalling are passed on', async () => {
  const { signaling, events } = await enter([]);

  signaling.emit('clock');
  signaling.emit('closed');

  assert.deepEqual(['clock', 'closed'], events);
});

describe('a participant who joined by way of another server', () => {
  const CAROL = member('carol', { marker: 7 });

  test('is a presence entry of its own, which the server does not know', async () => {
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

  test('is in the entries of a recording of everybody', async () => {
    const { room, mesh } = await enter([member('bob')]);

    mesh.emit('joined', CAROL);

    const entry = { event: 'join', participant: 'carol', remote_server: true, marker: 7 };
    assert.deepEqual([[entry], []], [room.presence('all'), room.presence('local')]);
  });

  test('gets a name that nobody else has', async () => {
    const { room, mesh } = await enter([member('bob')]);

    mesh.emit('joined', member('bob', { id: 'another bob' }));

    assert.equal('bob 2', room.participants.get('another bob')?.name);
  });
});
