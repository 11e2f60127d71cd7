import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { FakeTrack, joined, setUp } from '../support/client.js';
import { replaceGlobal } from '../support/globals.js';

/** @typedef {import('../support/client.js').FakeRoom} FakeRoom */

/**
 * Returns a client that observes a call, with everything that it has reported.
 *
 * @param {import('node:test').TestContext} context
 * @param {(room: FakeRoom) => void} [prepare]
 */
async function observing(context, prepare = () => undefined) {
  const made = await joined(context);
  // Only synthetic media has a counter.
  Object.assign(made.media, { counterZero: 0 });
  prepare(made.room);
  /** @type {ObservationProgress[]} */
  const reported = [];
  made.client.on('observation', (detail) => reported.push(/** @type {ObservationProgress} */ (detail)));
  const started = await made.client.startObservation('one');
  context.after(() => made.client.stopObservation('one').catch(() => undefined));
  return { ...made, reported, started };
}

/** Another application's call, with bob in it. @param {FakeRoom} room */
function callWithBob(room) {
  room.presenceFromServer = false;
  room.joins = [
    { event: 'call', on: true },
    { event: 'join', participant: 'alice' },
    { event: 'join', participant: 'bob' },
  ];
  room.participants.set('id of bob', bob());
}

/** @param {object} [changes] */
const bob = (changes = {}) => ({
  id: 'id of bob',
  name: 'bob',
  videoTrack: new FakeTrack('video'),
  audioTrack: new FakeTrack('audio'),
  markers: { video: 7, audio: 7 },
  info: { video: true, audio: true, screen: false, marker: 7 },
  ...changes,
});

/** @param {FakeRoom} room @param {'joined' | 'track' | 'state' | 'left'} type @param {object} [changes] */
const emit = (room, type, changes) =>
  room.emit(type, /** @type {CallParticipant} */ (/** @type {unknown} */ (bob(changes))));

/** Returns entries without their times, as short texts. @param {readonly RoomEvent[]} entries */
const texts = (entries) =>
  entries.map(({ event, participant = '', track = '', kind = '', on, marker, message = '' }) =>
    [
      event,
      participant,
      track,
      kind,
      on === undefined ? '' : on ? 'on' : 'off',
      marker === undefined ? '' : String(marker),
      message,
    ]
      .filter((part) => part)
      .join(' '),
  );

describe('an observation of another application', () => {
  test('begins with everybody who is in the call, their markers and their tracks', async (context) => {
    const { client, media, log } = await observing(context, callWithBob);
    assert.ok(media);

    const { entries } = await client.stopObservation('one');

    assert.deepEqual(
      [
        'call on',
        'join alice 3',
        'join bob 7',
        'video alice on',
        'audio alice on',
        'video bob on',
        'audio bob on',
        'track bob camera video on 7',
        'track bob microphone audio on 7',
      ],
      texts(entries),
    );
    assert.deepEqual([], log.lines);
  });

  test('follows mutes, tracks, leaves and lost connections', async (context) => {
    const { client, room, reported } = await observing(context, callWithBob);
    const before = reported.length;

    emit(room, 'state', { info: { video: true, audio: false, screen: false, marker: 7 }, ...tracksOf(room) });
    emit(room, 'track', { ...tracksOf(room), audioTrack: null });
    room.emit('disconnected', /** @type {CallParticipant} */ (/** @type {unknown} */ (bob())));
    room.emit('presence', { event: 'leave', participant: 'bob' });
    emit(room, 'left');
    const { entries } = await client.stopObservation('one');

    assert.deepEqual(
      [
        'audio bob off',
        'track bob microphone audio off',
        'network bob off',
        'leave bob',
        'video bob off',
        'track bob camera video off',
      ],
      texts(entries.slice(before)),
    );
  });

  test('states the marker of a participant who is identified later', async (context) => {
    const { client, room } = await observing(context, callWithBob);

    room.emit('presence', { event: 'identified', participant: 'bob', was: 'unidentified 1' });
    const { entries } = await client.stopObservation('one');

    assert.equal('identified bob 7', texts(entries).at(-1));
  });

  test('lists extra tracks', async (context) => {
    const { client, room, reported } = await observing(context, callWithBob);
    const before = reported.length;
    const screen = {
      label: 'screen',
      videoTrack: new FakeTrack('video'),
      audioTrack: null,
      markers: { video: 135, audio: undefined },
    };

    emit(room, 'track', { ...tracksOf(room), extras: [screen] });
    emit(room, 'track', { ...tracksOf(room), extras: [] });
    const { entries } = await client.stopObservation('one');

    assert.deepEqual(
      [
        'video bob screen on',
        'audio bob screen off',
        'track bob screen video on 135',
        'video bob screen off',
        'track bob screen video off',
      ],
      texts(entries.slice(before)),
    );
  });

  test('is refused outside a call', async (context) => {
    const { client, room } = await joined(context);
    room.refusal = new Error('This page is not in a call.');

    await assert.rejects(client.startObservation('one'), /not in a call/);
    room.refusal = null;
    await client.startObservation('two');
    await client.stopObservation('two');
  });
});

describe('an observation of our own room', () => {
  test('lists participants by what they announce, without subscribing to them', async (context) => {
    const { client, room } = await observing(context, (own) => {
      Object.assign(own.enter('bob').info, { marker: 5, audio: false });
    });
    const subscriptions = room.subscriptions.length;

    room.enter('carol');
    const { entries } = await client.stopObservation('one');

    assert.deepEqual(
      [
        'join alice 3',
        'video alice on',
        'audio alice on',
        'join bob 5',
        'video bob on',
        'audio bob off',
        'join carol null',
        'video carol on',
        'audio carol on',
      ],
      texts(entries),
    );
    assert.ok(room.subscriptions.slice(subscriptions).every((one) => one === null));
  });

  test('contains lost connections to the server as alarms', async (context) => {
    const { client, room } = await observing(context);

    room.emit('lost');
    room.emit('closed');
    const { entries } = await client.stopObservation('one');

    assert.deepEqual(
      ['alarm Lost connection to the server.', 'alarm The connection to the server has ended.'],
      texts(entries).slice(-2),
    );
  });
});

describe('the progress of an observation', () => {
  test('contains every entry with its number as soon as it is logged', async (context) => {
    const { client, reported, started } = await observing(context, callWithBob);

    const { entries, time } = await client.stopObservation('one');

    assert.deepEqual(
      entries,
      reported.map(({ entry }) => entry).filter((entry) => entry !== undefined),
    );
    assert.deepEqual(
      entries.map((_, index) => index + 1),
      reported.filter(({ entry }) => entry).map(({ number }) => number),
    );
    assert.deepEqual([true, true], [reported.at(-1)?.ended, reported.every(({ id }) => id === 'one')]);
    assert.ok(started.time <= (entries[0]?.time ?? 0));
    assert.ok((entries.at(-1)?.time ?? 0) <= time);
  });

  test('is reported once per second even if nothing happens', async (context) => {
    /** @type {[() => void, number][]} */
    const timers = [];
    replaceGlobal(context, 'setInterval', (/** @type {() => void} */ call, /** @type {number} */ ms) =>
      timers.push([call, ms]),
    );
    const { reported } = await observing(context);
    const before = reported.length;

    for (const [call] of timers) call();

    assert.deepEqual(
      [1000],
      timers.map(([, ms]) => ms),
    );
    assert.equal(1, reported.length - before);
    assert.ok(reported.slice(before).every(({ entry, ended }) => !entry && !ended));
  });

  test('ends if too much happens', async (context) => {
    const { client, room, reported } = await observing(context);

    for (let number = 0; number < 20_100; number += 1) room.emit('lost');
    const { entries, time } = await client.stopObservation('one');

    assert.deepEqual([20_000, true], [entries.length, reported.at(-1)?.ended]);
    assert.match(entries.at(-1)?.message ?? '', /^Too many events/);
    assert.equal(reported.at(-1)?.time, time);
  });

  test('ends when the participant leaves, and can still be read', async (context) => {
    const { client, room, reported } = await observing(context);

    await client.leave();
    const { entries } = await client.stopObservation('one');
    room.emit('lost');

    assert.equal(true, reported.at(-1)?.ended);
    assert.deepEqual(entries, (await client.stopObservation('one')).entries);
  });
});

describe('only one observation', () => {
  test('can run at a time', async (context) => {
    const { client } = await observing(context);

    await assert.rejects(client.startObservation('two'), { name: 'InvalidStateError' });
    await client.stopObservation('one');
    await client.startObservation('two');
    await client.stopObservation('two');
  });

  test('has the given id', async (context) => {
    const { client } = await observing(context);

    await assert.rejects(client.stopObservation('another'), { name: 'InvalidStateError' });
  });

  test('can start only in a room', async (context) => {
    const { client } = setUp(context);

    await assert.rejects(client.startObservation('one'), { name: 'InvalidStateError' });
  });
});

describe('the counter in our markers', () => {
  test('was 0 at a time on the room’s clock', async (context) => {
    const { client, room, media } = await joined(context);
    room.clock.offset = 500;
    Object.assign(media, { counterZero: 1000 });

    assert.equal(1500, client.getCounterZero());
  });

  test('does not exist in other media', async (context) => {
    const { client } = await joined(context);

    assert.equal(null, client.getCounterZero());
  });
});

/** Returns bob's tracks, so that an event does not replace them. @param {FakeRoom} room */
function tracksOf(room) {
  const { videoTrack, audioTrack } = /** @type {ReturnType<typeof bob>} */ (
    room.participants.get('id of bob')
  );
  return { videoTrack, audioTrack };
}
