import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { RemoteTracks } from '../../src/application/remote-tracks.js';
import { Emitter } from '../../src/shared/events.js';
import { replaceGlobal } from '../support/globals.js';
import { FakeTime } from '../support/time.js';

class FakeTrack extends EventTarget {
  readyState = 'live';
  muted = false;

  /** @param {string} kind @param {string} id */
  constructor(kind, id) {
    super();
    this.kind = kind;
    this.id = id;
  }
}

class FakeConnection extends EventTarget {
  connectionState = 'connected';
  signalingState = 'stable';
  streams = new WeakMap();
  bytesReceived = 0;
  /** @type {{receiver: {track: FakeTrack}, currentDirection: string | null}[]} */
  transceivers = [];

  getTransceivers() {
    return this.transceivers;
  }

  getStats() {
    return Promise.resolve(
      new Map([['pair', { type: 'candidate-pair', bytesReceived: this.bytesReceived }]]),
    );
  }

  /** A participant's track arrives. @param {'audio' | 'video'} kind @param {string} [stream] */
  receive(kind, stream) {
    const receiver = { track: new FakeTrack(kind, `${kind} ${this.transceivers.length}`) };
    const transceiver = { receiver, currentDirection: /** @type {string | null} */ ('recvonly') };
    this.transceivers.push(transceiver);
    this.announce(receiver, stream);
    return transceiver;
  }

  /** @param {object} receiver @param {string} [stream] */
  announce(receiver, stream) {
    const streams = stream === undefined ? [] : [{ id: stream }];
    this.streams.set(receiver, streams);
    this.dispatchEvent(Object.assign(new Event('track'), { receiver, streams }));
  }

  /** @param {string} state */
  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }
}

/** @param {import('node:test').TestContext} context @param {(connection: FakeConnection) => void} [before] */
function setUp(context, before) {
  const time = new FakeTime(context);
  replaceGlobal(
    context,
    'Audio',
    class {
      load() {
        return undefined;
      }
      play() {
        return Promise.resolve();
      }
    },
  );
  replaceGlobal(context, 'MediaStream', class {});
  const connection = new FakeConnection();
  before?.(connection);
  const hooks = Object.assign(new Emitter(), {
    connections: new Set([connection]),
    streams: connection.streams,
    frames: new WeakMap(),
  });
  const tracks = new RemoteTracks(/** @type {ApplicationHooks} */ (/** @type {unknown} */ (hooks)));
  context.after(() => tracks.close());
  /** @type {string[]} */
  const events = [];
  for (const type of /** @type {const} */ (['added', 'removed']))
    tracks.listen(type, ({ stream, kind }) => events.push(`${stream} ${kind} ${type}`));
  for (const type of /** @type {const} */ (['disconnected', 'reconnected']))
    tracks.listen(type, () => events.push(type));
  /** @param {string} type */
  const tell = (type) => hooks.dispatchEvent(new CustomEvent(type, { detail: connection }));
  return { time, connection, tracks, events, tell };
}

describe('received tracks', () => {
  test('are listed with the stream that announced them', (context) => {
    const { connection, events } = setUp(context);

    connection.receive('audio', 'bob');
    connection.receive('video', 'carol|camera');
    connection.receive('video');

    assert.deepEqual(['bob audio added', 'carol video added', '- video added'], events);
  });

  test('are numbered within their stream', async (context) => {
    const { time, connection, tracks } = setUp(context);
    const first = connection.receive('video', 'bob');
    connection.receive('video', 'bob');

    first.currentDirection = 'inactive';
    await time.pass(300);
    connection.receive('video', 'bob');

    assert.deepEqual(
      [1, 0],
      tracks.all.map(({ place }) => place),
    );
  });

  test('are found even if they were announced before we listened', async (context) => {
    const { time, connection, events } = setUp(context, (early) => {
      early.receive('video', 'bob').currentDirection = null;
    });
    assert.deepEqual([], events);

    for (const transceiver of connection.transceivers) transceiver.currentDirection = 'recvonly';
    await time.pass(300);

    assert.deepEqual(['bob video added'], events);
  });

  test('can reuse the transceiver of a participant who left, after a negotiation', async (context) => {
    const { time, connection, events } = setUp(context);
    const transceiver = connection.receive('video', 'bob');
    transceiver.currentDirection = 'inactive';
    await time.pass(300);

    connection.signalingState = 'have-remote-offer';
    connection.announce(transceiver.receiver, 'carol');
    await time.pass(300);
    connection.signalingState = 'stable';
    transceiver.currentDirection = 'recvonly';
    await time.pass(300);

    assert.deepEqual(['bob video added', 'bob video removed', 'carol video added'], events.slice(0, 3));
    assert.equal('carol video added', events.at(-1));
  });

  test('end when their transceiver no longer receives, or when the track ends', async (context) => {
    const { time, connection, tracks } = setUp(context);
    connection.receive('video', 'bob').receiver.track.readyState = 'ended';
    connection.receive('audio', 'bob').currentDirection = 'sendonly';

    await time.pass(300);

    assert.deepEqual([], tracks.all);
  });

  test('end at once when the page closes the connection', (context) => {
    const { connection, events, tell } = setUp(context);
    connection.receive('video', 'bob');

    connection.signalingState = 'closed';
    tell('closed');

    assert.equal('bob video removed', events.at(-1));
  });

  test('stay for a while when a connection breaks, then end, and return when it recovers', async (context) => {
    const { time, connection, events } = setUp(context);
    connection.receive('video', 'bob');

    connection.become('disconnected');
    await time.pass(2000);
    connection.become('connected');
    connection.become('disconnected');
    await time.pass(4500);

    assert.deepEqual(
      ['bob video added', 'disconnected', 'reconnected', 'disconnected', 'bob video removed'],
      events,
    );

    // The browser announces each track only once, but the recovered connection still has the track.
    connection.become('connected');
    await time.pass(300);

    assert.equal('bob video added', events.at(-1));
  });

  test('are expected to arrive only for a short time after the connection is established', async (context) => {
    const { time, connection, tracks } = setUp(context);
    connection.connectionState = 'connecting';
    connection.receive('video', 'bob').receiver.track.muted = true;
    const [track] = tracks.all;
    await time.pass(5000);
    assert.equal(true, track?.isArriving);

    connection.become('connected');
    await time.pass(2000);

    assert.equal(false, track?.isArriving);
    assert.equal(false, track?.hasMedia);
  });

  test('have media for good once something has arrived', (context) => {
    const { connection, tracks } = setUp(context);
    const { track } = connection.receive('video', 'bob').receiver;
    assert.equal(true, tracks.all[0]?.hasMedia);

    track.muted = true;

    assert.equal(true, tracks.all[0]?.hasMedia);
  });

  test('are alive while anything arrives on their connection', async (context) => {
    const { time, connection, tracks } = setUp(context);
    connection.receive('video', 'bob');
    const fake = /** @type {RTCPeerConnection} */ (/** @type {unknown} */ (connection));
    for (let second = 0; second < 10; second += 1) {
      connection.bytesReceived += 100;
      await time.pass(1000);
    }
    assert.equal(true, tracks.isAlive(fake));

    await time.pass(6000);

    assert.equal(false, tracks.isAlive(fake));
  });
});
