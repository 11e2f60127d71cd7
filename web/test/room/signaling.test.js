import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { pageNow } from '../../src/shared/clock.js';
import { Signaling } from '../../src/room/signaling.js';
import { settled } from '../support/globals.js';
import { FakeSocket } from '../support/socket.js';
import { FakeTime } from '../support/time.js';

const HELLO = { token: 't', room: null, name: 'alice', code: null, media: 'synthetic', subscriptions: null };
/** @type {FromServer} */
const WELCOME = {
  type: 'welcome',
  id: 'm1',
  room: 'daily',
  name: 'alice',
  marker: 0,
  members: [],
  spool_token: 's',
  resume: 'r',
  ice_servers: [],
  ice_policy: 'all',
  sfu: null,
  recordings: null,
};

/** @param {import('node:test').TestContext} context */
function setUp(context) {
  const time = new FakeTime(context);
  FakeSocket.use(context);
  const signaling = new Signaling('ws://127.0.0.1/signal');
  const welcome = signaling.open(HELLO);
  const socket = FakeSocket.last;
  /** @type {string[]} */
  const events = [];
  signaling.listen('message', ({ type }) => events.push(type));
  for (const type of /** @type {const} */ (['clock', 'lost', 'resumed', 'closed']))
    signaling.listen(type, () => events.push(type));
  return { time, signaling, welcome, socket, events };
}

/** @param {FakeSocket} socket */
const pings = (socket) =>
  /** @type {ToServer[]} */ (socket.sent).flatMap((message) =>
    message.type === 'ping' ? [message.sent] : [],
  );

/** Answers the last ping with a room time of 1000 ms. @param {FakeSocket} socket */
const pong = (socket) =>
  socket.deliver({ type: 'pong', sent: Number(pings(socket).at(-1)), time: 1000, acked_seq: 0 });

describe('entering', () => {
  test('sends hello, and completes when the clock is known', async (context) => {
    const { signaling, welcome, socket } = setUp(context);
    let done = false;
    void welcome.then(() => (done = true));

    socket.accept();
    socket.deliver(WELCOME);
    await settled();
    const early = done;
    pong(socket);

    assert.deepEqual(WELCOME, await welcome);
    assert.equal(false, early);
    assert.deepEqual({ type: 'hello', ...HELLO }, socket.sent[0]);
    assert.equal(1000, Math.round(signaling.clock.room(pageNow())));
  });

  test('fails with the server’s refusal', async (context) => {
    const { welcome, socket } = setUp(context);

    socket.accept();
    socket.deliver({ type: 'error', name: 'InvalidStateError', code: null, message: 'Not admitted.' });

    await assert.rejects(welcome, { name: 'InvalidStateError', message: 'Not admitted.' });
  });

  test('fails if the server closes the connection', async (context) => {
    const { welcome, socket, events } = setUp(context);

    socket.drop();

    await assert.rejects(welcome, { message: /closed the connection/ });
    assert.deepEqual(['closed'], events);
  });

  test('fails after 10 s of silence', async (context) => {
    const { time, welcome, socket } = setUp(context);
    const failed = assert.rejects(welcome, { name: 'StepTimeout', message: /10 s/ });

    socket.accept();
    await time.pass(10_001);

    await failed;
    assert.equal(FakeSocket.CLOSED, socket.readyState);
  });
});

describe('in the room', () => {
  test('the server’s messages are emitted, except pongs', async (context) => {
    const { welcome, socket, events } = setUp(context);
    socket.accept();
    socket.deliver(WELCOME);
    pong(socket);
    await welcome;

    socket.deliver({ type: 'left', id: 'm2', reason: 'left' });
    socket.deliver({ type: 'received', from: 'm3' });

    assert.deepEqual(['clock', 'left', 'received'], events);
  });

  test('pings are frequent at first, for an accurate clock, and rare later', async (context) => {
    const { time, socket } = setUp(context);
    socket.accept();
    socket.deliver(WELCOME);
    pong(socket);

    await time.pass(500);
    const quick = pings(socket).length;
    await time.pass(30_000);
    const calm = pings(socket).length - quick;

    assert.deepEqual([8, 6], [quick, calm]);
  });

  test('a slower pong does not change the clock', async (context) => {
    const { time, signaling, welcome, socket, events } = setUp(context);
    socket.accept();
    socket.deliver(WELCOME);
    pong(socket);
    await welcome;
    const { offset } = signaling.clock;

    await time.pass(30);
    pong(socket);

    assert.equal(offset, signaling.clock.offset);
    assert.deepEqual(['clock'], events);
  });

  test('a closed connection sends nothing', async (context) => {
    const { time, signaling, socket } = setUp(context);
    socket.accept();
    socket.deliver(WELCOME);
    pong(socket);
    await time.pass(10);
    const { length } = socket.sent;

    signaling.close();
    signaling.close();
    signaling.send({ type: 'bye' });
    await time.pass(60_000);

    assert.equal(length, socket.sent.length);
    assert.equal(FakeSocket.CLOSED, socket.readyState);
  });
});

describe('a lost connection', () => {
  /** @param {import('node:test').TestContext} context */
  async function inTheRoom(context) {
    const parts = setUp(context);
    parts.socket.accept();
    parts.socket.deliver(WELCOME);
    pong(parts.socket);
    await parts.welcome;
    parts.events.length = 0;
    return parts;
  }

  test('is resumed, and messages that were not acknowledged are sent again', async (context) => {
    const { time, signaling, socket, events } = await inTheRoom(context);
    signaling.send({ type: 'received', member: 'm2' });
    signaling.send({ type: 'received', member: 'm3' });
    socket.deliver({ type: 'left', id: 'm4', reason: 'left' });

    socket.drop();
    signaling.send({ type: 'received', member: 'm5' });
    await time.pass(300);
    FakeSocket.last.accept();
    FakeSocket.last.deliver({ type: 'resumed', acked_seq: 1 });

    const [hello, ...rest] = /** @type {ToServer[]} */ (FakeSocket.last.sent);
    assert.deepEqual(
      ['hello', 'r', 1],
      hello?.type === 'hello' && [hello.type, hello.resume, hello.received_seq],
    );
    assert.deepEqual(
      ['m3', 'm5'],
      rest.flatMap((message) => (message.type === 'received' ? [message.member] : [])),
    );
    assert.deepEqual(['left', 'lost', 'resumed'], events);
  });

  test('is retried until it is back', async (context) => {
    const { time, socket, events } = await inTheRoom(context);

    socket.drop();
    for (let tries = 0; tries < 5; tries += 1) {
      await time.pass(300);
      FakeSocket.last.drop();
    }

    assert.deepEqual(['lost'], events);
  });

  test('is abandoned after nine seconds', async (context) => {
    const { time, signaling, socket, events } = await inTheRoom(context);

    socket.drop();
    for (let tries = 0; tries < 40; tries += 1) {
      await time.pass(300);
      FakeSocket.last.drop();
    }
    const { length } = FakeSocket.all;
    signaling.send({ type: 'received', member: 'm2' });
    await time.pass(60_000);

    assert.deepEqual(['lost', 'closed'], events);
    assert.equal(length, FakeSocket.all.length);
  });

  test('stays closed if the server closed it', async (context) => {
    const { time, socket, events } = await inTheRoom(context);

    socket.drop(1000);
    await time.pass(60_000);

    assert.deepEqual(['closed'], events);
    assert.equal(1, FakeSocket.all.length);
  });

  test('ends for good if the server refuses to resume it', async (context) => {
    const { time, socket, events } = await inTheRoom(context);

    socket.drop();
    await time.pass(300);
    FakeSocket.last.accept();
    FakeSocket.last.deliver({
      type: 'error',
      name: 'InvalidStateError',
      code: null,
      message: 'Not admitted.',
    });
    FakeSocket.last.drop(1000);

    assert.deepEqual(['lost', 'closed'], events);
  });
});
