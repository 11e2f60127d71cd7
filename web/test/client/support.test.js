import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fallbacksInUse, isAudioBlocked, unsupported } from '../../src/client/support.js';
import { replaceGlobal } from '../support/globals.js';

const PARTS = {
  MediaStreamTrackProcessor: 1,
  MediaStreamTrackGenerator: 1,
  MediaRecorder: 1,
  AudioContext: 1,
};
const CHROME = { userAgentData: { brands: [{ brand: 'Not A;Brand' }, { brand: 'Chromium' }] } };

test('Chrome can record a room', () => {
  assert.equal(null, unsupported(PARTS, CHROME));
});

test('the reason names the interface that a browser lacks', () => {
  const others = { MediaStreamTrackGenerator: 1, MediaRecorder: 1, AudioContext: 1 };

  const reason = unsupported(others, CHROME);

  assert.match(String(reason), /it has no MediaStreamTrackProcessor\. Use Chrome/);
});

test('a browser that is not based on Chromium is refused even with all interfaces', () => {
  assert.match(String(unsupported(PARTS, {})), /not based on Chromium/);
});

test('over plain http the reason is the address, not the browser', () => {
  assert.match(String(unsupported({ ...PARTS, isSecureContext: false }, {})), /plain http.*https/);
});

test('a page with shared memory lists only the other fallbacks', () => {
  // Like Chrome without the harness's switches, Node.js has no gc function.
  assert.deepEqual(['gc'], fallbacksInUse());
  assert.deepEqual(['gc', 'user-activation'], fallbacksInUse(true));
});

for (const [what, play, blocked] of /** @type {const} */ ([
  ['refuses to play', () => Promise.reject(new DOMException('no', 'NotAllowedError')), true],
  ['fails for another reason', () => Promise.reject(new DOMException('no', 'AbortError')), false],
  ['waits for a source', () => new Promise(() => undefined), false],
]))
  test(`audio is ${blocked ? '' : 'not '}blocked if an element ${what}`, async (context) => {
    replaceGlobal(
      context,
      'Audio',
      class {
        play = play;
      },
    );

    assert.equal(blocked, await isAudioBlocked({ userActivation: { hasBeenActive: false } }));
  });

test('audio is not blocked after the user has acted on the page', async () => {
  assert.equal(false, await isAudioBlocked({ userActivation: { hasBeenActive: true } }));
});
