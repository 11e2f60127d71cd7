import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { RemoteParticipants } from '../../src/application/participants.js';
import { Emitter } from '../../src/shared/events.js';
import { replaceGlobal } from '../support/globals.js';
import { FakeTime } from '../support/time.js';

class FakeConnection extends EventTarget {
  connectionState = 'connected';
  signalingState = 'stable';
  streams = new WeakMap();
  /** @type {{receiver: {track: {kind: string, id: string, readyState: string}}, currentDirection: string | null}[]} */
  transceivers = [];

  getTransceivers() {
    return this.transceivers;
  }

  /** A participant's track arrives. @param {'audio' | 'video'} kind @param {string} [stream] */
  receive(kind, stream) {
    const receiver = { track: { kind, id: `${kind} ${this.transceivers.length}`, readyState: 'live' } };
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
  });
  const participants = new RemoteParticipants(
    /** @type {ApplicationHooks} */ (/** @type {unknown} */ (hooks)),
  );
  context.after(() => participants.close());
  /** @type {string[]} */
  const events = [];
  for (const type of /** @type {const} */ (['joined', 'changed', 'left', 'disconnected', 'reconnected']))
    participants.listen(type, ({ key }) => events.push(`${key} ${type}`));
  /** @param {string} type */
  const tell = (type) => hooks.dispatchEvent(new CustomEvent(type, { detail: connection }));
  return { time, connection, participants, events, tell };
}

describe("an application's participants", () => {
  test('are grouped by the stream of their tracks', (context) => {
    const { connection, participants, events } = setUp(context);

    connection.receive('audio', 'bob');
    connection.receive('video', 'bob');
    connection.receive('video', 'carol|camera');
    connection.receive('audio', 'carol|microphone');

    assert.deepEqual(['bob joined', 'bob changed', 'carol joined', 'carol changed'], events);
    assert.equal(2, participants.all.length);
  });

  test('are one participant if tracks have no stream', (context) => {
    const { connection, participants } = setUp(context);

    connection.receive('audio');
    connection.receive('video');

    assert.equal(1, participants.all.length);
  });

  test('are distinguished if a server puts all participants into one stream', (context) => {
    const { connection, participants } = setUp(context);

    for (const kind of /** @type {const} */ (['audio', 'video', 'audio', 'video']))
      connection.receive(kind, 'everybody');

    const tracks = participants.all.map((one) => [one.track('audio')?.id, one.track('video')?.id]);
    assert.deepEqual(
      [
        ['audio 0', 'video 1'],
        ['audio 2', 'video 3'],
      ],
      tracks,
    );
  });

  test('are found even if their tracks were announced before we listened', async (context) => {
    const { time, connection, events } = setUp(context, (early) => {
      early.receive('video', 'bob').currentDirection = null;
    });
    assert.deepEqual([], events);

    for (const transceiver of connection.transceivers) transceiver.currentDirection = 'recvonly';
    await time.pass(300);

    assert.deepEqual(['bob joined'], events);
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

    assert.deepEqual(['bob joined', 'bob changed', 'bob left', 'carol joined'], events);
  });

  test('can share a screen next to their camera', (context) => {
    const { connection, participants } = setUp(context);

    connection.receive('video', 'bob');
    connection.receive('video', 'bob');

    assert.equal(2, participants.all.length);
  });

  test('stay the same when another track replaces one that was removed', async (context) => {
    const { time, connection, participants, events } = setUp(context);
    connection.receive('audio', 'bob');
    const before = connection.receive('video', 'bob');

    before.currentDirection = 'inactive';
    await time.pass(300);
    connection.receive('video', 'bob');

    assert.deepEqual(['bob joined', 'bob changed', 'bob changed', 'bob changed'], events);
    assert.equal('video 2', participants.all[0]?.track('video')?.id);
  });

  test('leave when none of their tracks is received any longer', async (context) => {
    const { time, connection, participants, events } = setUp(context);
    const track = connection.receive('video', 'bob');

    track.receiver.track.readyState = 'ended';
    await time.pass(300);

    assert.equal('bob left', events.at(-1));
    assert.deepEqual([], participants.all);
  });

  test('leave at once when the page closes the connection', (context) => {
    const { connection, events, tell } = setUp(context);
    connection.receive('video', 'bob');

    connection.signalingState = 'closed';
    tell('closed');

    assert.equal('bob left', events.at(-1));
  });

  test('stay for a while when a connection breaks, then leave, and join again when it recovers', async (context) => {
    const { time, connection, events } = setUp(context);
    connection.receive('video', 'bob');

    connection.become('disconnected');
    await time.pass(2000);
    connection.become('connected');
    connection.become('disconnected');
    await time.pass(4500);

    assert.deepEqual(
      ['bob joined', 'bob disconnected', 'bob reconnected', 'bob disconnected', 'bob left'],
      events,
    );

    // The browser announces each track only once, but the recovered connection still has the track.
    connection.become('connected');
    await time.pass(300);

    assert.equal('bob joined', events.at(-1));
  });
});
