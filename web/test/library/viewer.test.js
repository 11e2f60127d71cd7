import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Signaling } from '../../src/room/signaling.js';
import { Viewer } from '../../src/library/viewer.js';
import { allSettled } from '../support/globals.js';
import { FakeSocket } from '../support/socket.js';
import { FakeTime } from '../support/time.js';

/** @param {import('node:test').TestContext} context */
function setUp(context) {
  const time = new FakeTime(context);
  FakeSocket.use(context);
  const viewer = new Viewer(() => new Signaling('ws://127.0.0.1/signal'));
  /** Whether there was a list, each time that something changed. @type {boolean[]} */
  const listed = [];
  viewer.addEventListener('changed', () => listed.push(viewer.recordings !== null));
  return { time, viewer, listed };
}

/** Lets whoever connected last look on. @param {string} token */
async function admit(token) {
  const socket = FakeSocket.last;
  socket.accept();
  socket.say({ type: 'viewing', room: 'open', token, recordings: [] });
  socket.say({ type: 'pong', sent: 0, time: 1000, acked_seq: 0 });
  await allSettled();
  return socket;
}

describe('viewing', () => {
  test('a lost connection is opened again, and the list stays meanwhile', async (context) => {
    const { time, viewer, listed } = setUp(context);
    void viewer.open('look on');
    const socket = await admit('first');

    socket.drop();
    const lost = viewer.lost;
    await time.pass(1000);
    await admit('second');

    assert.equal(true, lost);
    assert.equal(false, viewer.lost);
    assert.equal('second', viewer.token);
    assert.deepEqual([true, true, true], listed);
  });

  test('a viewer who stops before the welcome stays out', async (context) => {
    const { viewer } = setUp(context);
    void viewer.open('look on');

    viewer.close();
    const socket = await admit('late');

    assert.equal(null, viewer.recordings);
    assert.equal('', viewer.token);
    assert.equal(FakeSocket.CLOSED, socket.readyState);
  });
});
