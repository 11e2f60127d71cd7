import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { MediaClock } from '../../../src/mixer/video/media-clock.js';
import { FakeFrame } from '../../support/frame.js';

/** Returns a frame that arrived over WebRTC. @param {number} rtpTimestamp */
function remote(rtpTimestamp) {
  const fake = new FakeFrame('I420', 2, 2, () => 0);
  fake.rtp = { rtpTimestamp };
  return fake.frame;
}

describe("a sender's clock", () => {
  test('counts 90 RTP ticks per millisecond', () => {
    const clock = new MediaClock();

    assert.deepEqual(
      [100, 110, 143],
      [9000, 9900, 12_870].map((rtp) => clock.read(remote(rtp))),
    );
  });

  test('continues no matter how often the 32-bit timestamps wrap around', () => {
    const clock = new MediaClock();
    const start = 2 ** 32 - 9000;
    let last = clock.read(remote(start));

    // There is one frame per hour for ten days, and the 32-bit timestamps wrap around every 13 hours.
    for (let hour = 1; hour <= 240; hour += 1) {
      const time = clock.read(remote((start + hour * 3_600_000 * 90) % 2 ** 32));

      assert.equal(3_600_000, Math.round(time - last));
      last = time;
    }
  });

  test('returns an earlier time for a frame that arrives out of order', () => {
    const clock = new MediaClock();

    const times = [50, 2 ** 32 - 40, 140].map((rtp) => clock.read(remote(rtp)) * 90);

    assert.deepEqual([50, -40, 140], times.map(Math.round));
  });

  test("is the frame's own timestamp if the frame did not arrive over WebRTC", () => {
    const fake = new FakeFrame('I420', 2, 2, () => 0);
    fake.timestamp = 1_234_567;

    assert.equal(1234.567, new MediaClock().read(fake.frame));
  });
});
