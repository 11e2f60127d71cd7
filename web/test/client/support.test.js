import assert from 'node:assert/strict';
import { test } from 'node:test';

import { unsupported } from '../../src/client/support.js';

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

test('a browser that is not built on Chromium is refused even with all interfaces', () => {
  assert.match(String(unsupported(PARTS, {})), /not built on Chromium/);
});

test('over plain http the reason is the address, not the browser', () => {
  assert.match(String(unsupported({ ...PARTS, isSecureContext: false }, {})), /plain http.*https/);
});
