import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { People } from '../../src/application/participants.js';
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

  /** Somebody's track arrives. @param {'audio' | 'video'} kind @param {string} [stream] */
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
  const people = new People(/** @type {AppHooks} */ (/** @type {unknown} */ (hooks)));
  context.after(() => people.close());
  /** @type {string[]} */
  const heard = [];
  for (const type of /** @type {const} */ (['came', 'changed', 'gone', 'disconnected', 'reconnected']))
    people.listen(type, ({ key }) => heard.push(`${key} ${type}`));
  /** @param {string} type */
  const tell = (type) => hooks.dispatchEvent(new CustomEvent(type, { detail: connection }));
  return { time, connection, people, heard, tell };
}

describe("an application's people", () => {
  test('are those whose tracks share a stream', (context) => {
    const { connection, people, heard } = setUp(context);

    connection.receive('audio', 'bob');
    connection.receive('video', 'bob');
    connection.receive('video', 'carol|camera');
    connection.receive('audio', 'carol|microphone');

    assert.deepEqual(['bob came', 'bob changed', 'carol came', 'carol changed'], heard);
    assert.equal(2, people.all.length);
  });

  test('are one where there is no stream', (context) => {
    const { connection, people } = setUp(context);

    connection.receive('audio');
    connection.receive('video');

    assert.equal(1, people.all.length);
  });

  test('are told apart where a server puts everybody into one stream', (context) => {
    const { connection, people } = setUp(context);

    for (const kind of /** @type {const} */ (['audio', 'video', 'audio', 'video']))
      connection.receive(kind, 'everybody');

    const tracks = people.all.map((person) => [person.track('audio')?.id, person.track('video')?.id]);
    assert.deepEqual(
      [
        ['audio 0', 'video 1'],
        ['audio 2', 'video 3'],
      ],
      tracks,
    );
  });

  test('are found although they were announced before anybody listened, and answered after that', async (context) => {
    const { time, connection, heard } = setUp(context, (early) => {
      early.receive('video', 'bob').currentDirection = null;
    });
    assert.deepEqual([], heard);

    for (const transceiver of connection.transceivers) transceiver.currentDirection = 'recvonly';
    await time.pass(300);

    assert.deepEqual(['bob came'], heard);
  });

  test('may come in the place of somebody who left, and are waited for until that is answered', async (context) => {
    const { time, connection, heard } = setUp(context);
    const transceiver = connection.receive('video', 'bob');
    transceiver.currentDirection = 'inactive';
    await time.pass(300);

    connection.signalingState = 'have-remote-offer';
    connection.announce(transceiver.receiver, 'carol');
    await time.pass(300);
    connection.signalingState = 'stable';
    transceiver.currentDirection = 'recvonly';
    await time.pass(300);

    assert.deepEqual(['bob came', 'bob changed', 'bob gone', 'carol came'], heard);
  });

  test('may show a screen beside themselves', (context) => {
    const { connection, people } = setUp(context);

    connection.receive('video', 'bob');
    connection.receive('video', 'bob');

    assert.equal(2, people.all.length);
  });

  test('keep their place when another track replaces one that was taken away', async (context) => {
    const { time, connection, people, heard } = setUp(context);
    connection.receive('audio', 'bob');
    const before = connection.receive('video', 'bob');

    before.currentDirection = 'inactive';
    await time.pass(300);
    connection.receive('video', 'bob');

    assert.deepEqual(['bob came', 'bob changed', 'bob changed', 'bob changed'], heard);
    assert.equal('video 2', people.all[0]?.track('video')?.id);
  });

  test('have gone when none of their tracks is received any more', async (context) => {
    const { time, connection, people, heard } = setUp(context);
    const track = connection.receive('video', 'bob');

    track.receiver.track.readyState = 'ended';
    await time.pass(300);

    assert.equal('bob gone', heard.at(-1));
    assert.deepEqual([], people.all);
  });

  test('have gone at once with a connection that the page closes', (context) => {
    const { connection, heard, tell } = setUp(context);
    connection.receive('video', 'bob');

    connection.signalingState = 'closed';
    tell('closed');

    assert.equal('bob gone', heard.at(-1));
  });

  test('are waited for while a connection is cut, no longer than that, and come again when it is mended', async (context) => {
    const { time, connection, heard } = setUp(context);
    connection.receive('video', 'bob');

    connection.become('disconnected');
    await time.pass(2000);
    connection.become('connected');
    connection.become('disconnected');
    await time.pass(4500);

    assert.deepEqual(
      ['bob came', 'bob disconnected', 'bob reconnected', 'bob disconnected', 'bob gone'],
      heard,
    );

    // Its track is announced once; the connection that is back still has it.
    connection.become('connected');
    await time.pass(300);

    assert.equal('bob came', heard.at(-1));
  });
});
