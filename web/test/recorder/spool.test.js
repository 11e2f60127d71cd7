import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Spool } from '../../src/recorder/spool.js';
import { settled } from '../support/globals.js';
import { FakeSocket } from '../support/socket.js';
import { FakeTime } from '../support/time.js';

const HELLO = /** @type {const} */ ({
  token: 'secret',
  recording: null,
  recorder: 'all',
  config: {},
  mime_type: 'video/webm;codecs=vp8,opus',
  width: 640,
  height: 360,
  frame_rate: 15,
  presence_from_server: true,
  fallbacks: [],
  clock: { offset: -5, error: 0.5 },
});
const FINISHED = { id: 'r1', name: 'standup.webm', size: 10, sha256: 'abc', duration: 1.5 };

/** Returns an open spool whose server is ready. @param {import('node:test').TestContext} context */
async function open(context) {
  FakeSocket.use(context);
  const spool = new Spool('ws://127.0.0.1/spool');
  const opened = spool.open(HELLO);
  const socket = FakeSocket.last;
  socket.accept();
  socket.deliver({ type: 'ready', recording: 'r1', resume: 'again', bytes: 0, acked_seq: 0 });
  await opened;
  socket.sent = [];
  /** @type {Error[]} */
  const failures = [];
  spool.listen('failed', (error) => failures.push(error));
  return { spool, socket, failures };
}

/** @param {unknown} data */
async function chunkOf(data) {
  assert.ok(data instanceof Blob);
  const bytes = new Uint8Array(await data.arrayBuffer());
  return { header: [...bytes.subarray(0, 16)], body: [...bytes.subarray(16)] };
}

describe('opening', () => {
  test('sends hello when the socket is open, and completes when the server is ready', async (context) => {
    FakeSocket.use(context);
    const spool = new Spool('ws://127.0.0.1/spool');
    let done = false;
    const opened = spool.open(HELLO).then(() => (done = true));
    const socket = FakeSocket.last;

    await settled();
    const before = [...socket.sent];
    socket.accept();
    await settled();
    const waiting = done;
    socket.deliver({ type: 'ready', recording: 'r1', resume: 'again', bytes: 0, acked_seq: 0 });
    await opened;

    assert.equal('ws://127.0.0.1/spool', socket.url);
    assert.deepEqual([[], false], [before, waiting]);
    assert.deepEqual([{ type: 'hello', ...HELLO }], socket.sent);
    assert.equal('r1', spool.recording);
  });

  test("fails with the server's refusal", async (context) => {
    FakeSocket.use(context);
    const opened = new Spool('ws://127.0.0.1/spool').open(HELLO);

    FakeSocket.last.accept();
    FakeSocket.last.deliver({ type: 'error', name: 'ConfigError', code: null, message: 'codec: no.' });

    await assert.rejects(opened, { name: 'ConfigError', message: 'codec: no.' });
  });

  test('fails without a server', async (context) => {
    FakeSocket.use(context);
    const opened = new Spool('ws://127.0.0.1/spool').open(HELLO);

    FakeSocket.last.drop();

    await assert.rejects(opened, { name: 'RecordingError', code: 10452 });
  });

  test('fails after 10 s of silence', async (context) => {
    const time = new FakeTime(context);
    FakeSocket.use(context);
    const failed = assert.rejects(new Spool('ws://127.0.0.1/spool').open(HELLO), {
      name: 'StepTimeout',
      message: /10 s/,
    });

    FakeSocket.last.accept();
    await time.pass(10_001);

    await failed;
  });
});

describe('chunks', () => {
  test('contain a one, their number and offset in little-endian order, and the unchanged bytes', async (context) => {
    const { spool, socket } = await open(context);

    for (const bytes of [[1, 2, 3], Array(300).fill(9), [4]]) spool.chunk(new Blob([new Uint8Array(bytes)]));

    const chunks = await Promise.all(socket.sent.map(chunkOf));
    const zeros = Array.from({ length: 6 }, () => 0);
    const nines = Array.from({ length: 300 }, () => 9);
    assert.deepEqual(
      [
        { header: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...zeros], body: [1, 2, 3] },
        { header: [1, 0, 0, 0, 1, 0, 0, 0, 3, 0, ...zeros], body: nines },
        { header: [1, 0, 0, 0, 2, 0, 0, 0, 47, 1, ...zeros], body: [4] },
      ],
      chunks,
    );
    assert.equal(304, spool.bytes);
  });

  test('and messages are sent in order', async (context) => {
    const { spool, socket } = await open(context);

    spool.recorder('started', 1000);
    spool.chunk(new Blob(['a']));
    spool.ticks(0, [1, null]);
    spool.chunk(new Blob(['b']));
    spool.event({ time: 5, event: 'audio', participant: 'alice', on: true });

    assert.deepEqual(
      [
        { type: 'recorder', state: 'started', time: 1000 },
        'chunk',
        { type: 'ticks', first: 0, written: [1, null] },
        'chunk',
        { type: 'event', event: { time: 5, event: 'audio', participant: 'alice', on: true } },
      ],
      socket.sent.map((data) => (data instanceof Blob ? 'chunk' : data)),
    );
  });

  test('are acknowledged', async (context) => {
    const { spool, socket } = await open(context);
    /** @type {unknown[]} */
    const emitted = [];
    spool.listen('ack', (ack) => emitted.push(ack));
    spool.chunk(new Blob(['abc']));

    socket.deliver({ type: 'ack', bytes: 3, acked_seq: 1, tracks: ['audio'] });

    assert.equal(3, spool.acknowledged);
    assert.deepEqual([{ type: 'ack', bytes: 3, acked_seq: 1, tracks: ['audio'] }], emitted);
  });
});

describe('requests', () => {
  test('are answered: the end, an address, the last byte, the discard', async (context) => {
    const { spool, socket } = await open(context);
    spool.chunk(new Blob(['abc']));
    socket.sent = [];

    const outstanding = spool.outstanding();
    socket.deliver({ type: 'outstanding', frames: 3 });
    const end = spool.end();
    socket.deliver({ type: 'finished', recording: FINISHED });
    const address = spool.address();
    socket.deliver({ type: 'address', url: '/recordings/k/standup.webm', name: 'standup.webm' });
    const delivery = spool.delivery();
    socket.deliver({ type: 'delivery', failure: null });
    const clean = spool.clean();
    socket.deliver({ type: 'cleaned' });

    assert.deepEqual([3, FINISHED], [await outstanding, await end]);
    assert.deepEqual(
      { type: 'address', url: '/recordings/k/standup.webm', name: 'standup.webm' },
      await address,
    );
    assert.equal(null, await delivery);
    await clean;
    assert.deepEqual(
      ['outstanding', 'end', 'download', 'delivery', 'clean'].map((type) =>
        type === 'end' ? { type, chunks: 1, bytes: 3 } : { type },
      ),
      socket.sent,
    );
  });

  test('of one kind are answered in order, even with other messages in between', async (context) => {
    const { spool, socket } = await open(context);

    const first = spool.address();
    const delivery = spool.delivery();
    const second = spool.address();
    socket.deliver({ type: 'address', url: '/1', name: 'a' });
    socket.deliver({ type: 'ack', bytes: 0, acked_seq: 0, tracks: [] });
    socket.deliver({ type: 'address', url: '/2', name: 'a' });
    socket.deliver({ type: 'delivery', failure: 'the browser did not request the file within 5 s' });

    assert.deepEqual(['/1', '/2'], [(await first).url, (await second).url]);
    assert.equal('the browser did not request the file within 5 s', await delivery);
  });

  test("fail with the server's error", async (context) => {
    const { spool, socket, failures } = await open(context);
    const end = spool.end();

    socket.deliver({ type: 'error', name: 'RecordingError', code: 10453, message: 'Nothing can be read.' });

    await assert.rejects(end, { name: 'RecordingError', code: 10453, message: 'Nothing can be read.' });
    assert.deepEqual([], failures);
  });

  test('fail when we close the connection', async (context) => {
    const { spool, socket, failures } = await open(context);
    const waiting = spool.clean();

    spool.close();
    spool.close();

    await assert.rejects(waiting, { name: 'RecordingError', code: 10452 });
    assert.equal(FakeSocket.CLOSED, socket.readyState);
    assert.deepEqual([], failures);
  });
});

describe('a failure without a pending request', () => {
  test('is emitted when the server reports it', async (context) => {
    const { socket, failures } = await open(context);

    socket.deliver({ type: 'error', name: 'RecordingError', code: 10452, message: 'The disk is full.' });

    assert.deepEqual(
      ['The disk is full.'],
      failures.map(({ message }) => message),
    );
  });

  test('is not emitted when we close the connection', async (context) => {
    const { spool, failures } = await open(context);

    spool.close();

    assert.deepEqual([], failures);
  });
});

describe('a lost connection', () => {
  const RESUMED = { type: 'hello', ...HELLO, token: 'again', recording: 'r1' };

  test('is resumed, and messages that the server has not received are sent again in order', async (context) => {
    const time = new FakeTime(context);
    const { spool, socket, failures } = await open(context);
    /** @type {string[]} */
    const emitted = [];
    for (const type of ['stalled', 'resumed']) spool.addEventListener(type, () => emitted.push(type));
    spool.ticks(0, [1]);
    spool.chunk(new Blob(['abc']));
    spool.chunk(new Blob(['de']));
    socket.deliver({ type: 'ack', bytes: 0, acked_seq: 1, tracks: [] });

    socket.drop();
    spool.recorder('paused', 5);
    await time.pass(250);
    const again = FakeSocket.last;
    again.accept();
    again.deliver({ type: 'ready', recording: 'r1', resume: 'again', bytes: 3, acked_seq: 2 });

    const [hello, chunk, state, ...rest] = again.sent;
    assert.notEqual(socket, again);
    assert.deepEqual(RESUMED, hello);
    assert.deepEqual([1, 0, 0, 0, 1, 0, 0, 0, 3], (await chunkOf(chunk)).header.slice(0, 9));
    assert.deepEqual({ type: 'recorder', state: 'paused', time: 5 }, state);
    assert.deepEqual([], rest);
    assert.equal(3, spool.acknowledged);
    assert.deepEqual(['stalled', 'resumed'], emitted);
    assert.deepEqual([], failures);
  });

  test('accepts no data while it closes, and the data is sent over the next connection', async (context) => {
    const time = new FakeTime(context);
    const { spool, socket } = await open(context);

    socket.closing();
    spool.ticks(0, [1]);
    const address = spool.address();
    socket.drop();
    await time.pass(250);
    const again = FakeSocket.last;
    again.accept();
    again.deliver({ type: 'ready', recording: 'r1', resume: 'again', bytes: 0, acked_seq: 0 });
    again.deliver({ type: 'address', url: '/1', name: 'a' });

    assert.deepEqual([], socket.sent);
    assert.deepEqual([{ type: 'ticks', first: 0, written: [1] }, { type: 'download' }], again.sent.slice(1));
    assert.equal('/1', (await address).url);
  });

  test('delays requests, which are sent again', async (context) => {
    const time = new FakeTime(context);
    const { spool, socket } = await open(context);
    const address = spool.address();

    socket.drop();
    const clean = spool.clean();
    await time.pass(250);
    const again = FakeSocket.last;
    again.accept();
    again.deliver({ type: 'ready', recording: 'r1', resume: 'again', bytes: 0, acked_seq: 0 });
    again.deliver({ type: 'address', url: '/1', name: 'a' });
    again.deliver({ type: 'cleaned' });

    assert.deepEqual([RESUMED, { type: 'download' }, { type: 'clean' }], again.sent);
    assert.equal('/1', (await address).url);
    await clean;
  });

  test('is abandoned after 25 s', async (context) => {
    const time = new FakeTime(context);
    const { socket, failures } = await open(context);

    socket.drop();
    for (let tries = 0; tries < 110; tries += 1) {
      await time.pass(250);
      FakeSocket.last.drop();
    }

    assert.deepEqual(
      [10452],
      failures.map((error) => /** @type {Error & {code?: number}} */ (error).code),
    );
    assert.ok(time.now > 25_000);
  });

  test('fails every later request at once after it was abandoned', async (context) => {
    const time = new FakeTime(context);
    const { spool, socket } = await open(context);
    const waiting = assert.rejects(spool.address(), { name: 'RecordingError', code: 10452 });
    socket.drop();
    for (let tries = 0; tries < 110; tries += 1) {
      FakeSocket.last.drop();
      await time.pass(250);
    }

    await waiting;
    for (const answer of [spool.end(), spool.address(), spool.delivery(), spool.clean()]) {
      await assert.rejects(answer, { name: 'RecordingError', code: 10452 });
    }
  });

  test('is not retried after an error from the server', async (context) => {
    const time = new FakeTime(context);
    const { spool, socket, failures } = await open(context);

    socket.deliver({ type: 'error', name: 'RecordingError', code: 10452, message: 'The disk is full.' });
    socket.drop();
    await time.pass(60_000);

    assert.equal(socket, FakeSocket.last);
    assert.equal(1, failures.length);
    await assert.rejects(spool.clean(), { name: 'RecordingError' });
  });

  test('fails when the backlog is too large', async (context) => {
    const { spool, failures } = await open(context);

    for (let megabytes = 0; megabytes <= 64; megabytes += 8)
      spool.chunk(new Blob([new Uint8Array(8 * 1024 * 1024)]));

    assert.match(failures[0]?.message ?? '', /64 MB are waiting/);
    assert.equal(FakeSocket.CLOSED, FakeSocket.last.readyState);
  });
});
