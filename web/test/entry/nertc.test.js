import assert from 'node:assert/strict';
import { test } from 'node:test';

import { nertc } from '../../src/entry/nertc.js';
import { recordPlan } from '../../src/client/record-plan.js';

test('NERTC’s constants are valid options', () => {
  const NERTC = nertc(() => null);

  const qualities = [
    NERTC.RECORD_VIDEO_QUALITY_360p,
    NERTC.RECORD_VIDEO_QUALITY_480p,
    NERTC.RECORD_VIDEO_QUALITY_720p,
  ];
  const rates = [NERTC.RECORD_VIDEO_FRAME_RATE_15, NERTC.RECORD_VIDEO_FRAME_RATE_30];

  const made = qualities.flatMap((recordVideoQuality) =>
    rates.map((recordVideoFrame) =>
      recordPlan({ recordConfig: { recordVideoQuality, recordVideoFrame } }, () => true),
    ),
  );
  assert.deepEqual(
    [360, 360, 480, 480, 720, 720],
    made.map(({ height }) => height),
  );
  assert.deepEqual(
    [15, 30, 15, 30, 15, 30],
    made.map(({ frameRate }) => frameRate),
  );
});

test('the NERTC object creates clients and can’t be changed', () => {
  const client = {};
  const NERTC = nertc(() => client);

  assert.equal(client, NERTC.createClient());
  assert.ok(Object.isFrozen(NERTC));
});
