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
  /** For each `changed` event, whether the viewer had a list of recordings at that time. @type {boolean[]} */
  const listed = [];
  viewer.addEventListener('changed', () => listed.push(viewer.recordings !== null));
  return { time, viewer, listed };
}

/** Admits the viewer who opened the latest connection. @param {string} token */
async function admit(token) {
  const socket = FakeSocket.last;
  socket.accept();
  socket.deliver({ type: 'viewing', room: 'open', token, recordings: [] });
  socket.deliver({ type: 'pong', sent: 0, time: 1000, acked_seq: 0 });
  await allSettled();
  return socket;
}

describe('viewing', () => {
  test('reopens a lost connection and keeps the list in the meantime', async (context) => {
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

  test('stays closed if the viewer closes before the welcome', async (context) => {
    const { viewer } = setUp(context);
    void viewer.open('look on');

    viewer.close();
    const socket = await admit('late');

    assert.equal(null, viewer.recordings);
    assert.equal('', viewer.token);
    assert.equal(FakeSocket.CLOSED, socket.readyState);
  });
});
