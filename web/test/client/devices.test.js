import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { joined, setUp } from '../support/client.js';
import { allSettled } from '../support/globals.js';

describe('devices', () => {
  test('that are switched off are announced and are off in the recording', async (context) => {
    const { client, room, media, stages } = await joined(context);
    await client.startMediaRecording();

    client.setMicrophone(false);
    client.setCamera(false);

    assert.deepEqual({ audio: false, video: false, screen: false }, room.announced.at(-1));
    assert.deepEqual(
      [false, false],
      media.tracks.map(({ enabled }) => enabled),
    );
    const { audio, video } = stages[0]?.mixer.sources['me'] ?? assert.fail();
    assert.deepEqual([false, false], [audio, video]);
  });

  test('that were off before the join are off in the room', async (context) => {
    const { client, room, media } = setUp(context);
    client.setMicrophone(false);

    await client.join({ name: 'alice' });

    assert.deepEqual({ audio: false, video: true, screen: false }, room.announced.at(-1));
    assert.deepEqual(
      [true, false],
      media.tracks.map(({ enabled }) => enabled),
    );
  });

  test('leave silence or the placeholder when they are unplugged', async (context) => {
    const { client, room } = await joined(context);

    client.unplugDevice('audio');
    const [microphone, camera] = [client.microphone, client.camera];
    client.unplugDevice('video');

    assert.deepEqual([false, true, false], [microphone, camera, client.camera]);
    assert.deepEqual({ audio: false, video: false, screen: false }, room.announced.at(-1));
  });

  test('that are replaced send the new track in place of the old one', async (context) => {
    const { client, room, media, stages } = await joined(context);
    await client.startMediaRecording();
    const [, before] = media.tracks;
    client.unplugDevice('audio');

    await client.replaceDevice('audio');

    const [old, fresh] = room.replaced[0] ?? assert.fail();
    assert.deepEqual([before, 'another', true], [old, fresh.label, client.microphone]);
    assert.equal(fresh, stages[0]?.mixer.sources['me']?.audioTrack);
  });

  test('of another application are unplugged and replaced by its media', async (context) => {
    const { client, media, room } = await joined(context);
    /** @type {string[]} */
    const calls = [];
    Object.assign(media, {
      kind: 'application',
      unplug: (/** @type {string} */ kind) => calls.push(`unplug ${kind}`),
      plugIn: (/** @type {string} */ kind) => calls.push(`plug in ${kind}`),
    });

    client.unplugDevice('video');
    await client.replaceDevice('video');

    assert.deepEqual(['unplug video', 'plug in video'], calls);
    assert.deepEqual([], room.replaced);
    assert.ok(media.tracks.every(({ stopped }) => !stopped));
  });

  test('are ignored when they end after a replacement', async (context) => {
    const { client, media } = await joined(context);
    const [before] = media.tracks;
    await client.replaceDevice('video');

    before?.dispatchEvent(new Event('ended'));

    assert.equal(true, client.camera);
  });

  test('are replaced by the screen and return afterwards', async (context) => {
    const { client, room, media, stages } = await joined(context);
    await client.startMediaRecording();

    await client.shareScreen(true);
    await client.shareScreen(true);
    const shared = { ...stages[0]?.mixer.sources['me'] };
    await client.shareScreen(false);

    assert.deepEqual([true, 'screen'], [shared.screen, shared.videoTrack?.label]);
    assert.deepEqual(
      ['screen', 'camera'],
      room.replaced.map(([, fresh]) => fresh.label),
    );
    assert.deepEqual({ audio: true, video: true, screen: false }, room.announced.at(-1));
    assert.equal('camera', media.stream.getVideoTracks()[0]?.label);
  });
});

describe('a shared screen that ends by itself', () => {
  test('is replaced by the camera', async (context) => {
    const { client, room, media } = await joined(context);
    await client.shareScreen(true);

    media.stream.getVideoTracks()[0]?.dispatchEvent(new Event('ended'));
    await allSettled();

    assert.deepEqual([false, true], [client.screen, client.camera]);
    assert.equal('camera', media.stream.getVideoTracks()[0]?.label);
    assert.deepEqual({ audio: true, video: true, screen: false }, room.announced.at(-1));
  });

  test('leaves the placeholder if the camera is not available', async (context) => {
    const { client, media } = await joined(context);
    await client.shareScreen(true);
    media.share = () => Promise.reject(new Error('The camera is not available.'));

    media.stream.getVideoTracks()[0]?.dispatchEvent(new Event('ended'));
    await allSettled();

    assert.equal(false, client.camera);
  });
});
