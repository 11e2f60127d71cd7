import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { HarnessError } from '../../src/shared/errors.js';
import { recordPlan } from '../../src/client/record-plan.js';

const everything = () => true;

/** @param {unknown} data @param {(mimeType: string) => boolean} [supported] */
const plan = (data, supported = everything) => recordPlan(data, supported);

/**
 * Returns the error that an invalid recordConfig causes.
 *
 * @param {unknown} data
 * @param {(mimeType: string) => boolean} [supported]
 */
function refusal(data, supported = everything) {
  try {
    recordPlan(data, supported);
  } catch (error) {
    if (error instanceof HarnessError) return error;
  }
  return assert.fail(`${JSON.stringify(data)} was not refused`);
}

describe('without any option', () => {
  for (const data of [undefined, null, {}, { recordConfig: {} }, { recordConfig: null }]) {
    test(`${JSON.stringify(data)} records as NERTC does`, () => {
      const { recorder, type, width, height, frameRate, layout, names, codec, mimeType } = plan(data);

      assert.deepEqual(['all', 'video', 640, 360, 15], [recorder, type, width, height, frameRate]);
      assert.deepEqual(['grid', true, 'vp9', 'video/webm;codecs=vp9,opus'], [layout, names, codec, mimeType]);
    });
  }

  test('the plan contains the config for the manifest', () => {
    assert.deepEqual(
      {
        recordType: 'video',
        recordName: '',
        recordVideoQuality: 360,
        recordVideoFrame: 15,
        layout: 'grid',
        names: true,
        codec: 'vp9',
        videoBitsPerSecond: 400_000,
      },
      plan({}).config,
    );
  });
});

describe('an option', () => {
  test('is used unchanged', () => {
    const given = {
      recordType: 'video',
      recordName: 'standup',
      recordVideoQuality: 720,
      recordVideoFrame: 30,
      layout: 'speaker',
      names: false,
      codec: 'vp9',
      videoBitsPerSecond: 1_000_000,
    };

    const made = plan({ recorder: 'local', recordConfig: given });

    assert.deepEqual(given, made.config);
    assert.deepEqual(['local', 1280, 720, 30], [made.recorder, made.width, made.height, made.frameRate]);
    assert.deepEqual(['speaker', false, 1_000_000], [made.layout, made.names, made.videoBitsPerSecond]);
    assert.equal('video/webm;codecs=vp9,opus', made.mimeType);
  });

  for (const [quality, size] of /** @type {const} */ ([
    [360, [640, 360]],
    [480, [640, 480]],
    [720, [1280, 720]],
    ['720', [1280, 720]],
    ['480p', [640, 480]],
  ])) {
    test(`recordVideoQuality ${quality} is ${size.join('x')}`, () => {
      const { width, height, config } = plan({ recordConfig: { recordVideoQuality: quality } });

      assert.deepEqual(size, [width, height]);
      assert.equal(Number.parseInt(String(quality), 10), config.recordVideoQuality);
    });
  }

  test('recordType audio needs no video codec', () => {
    const { type, mimeType } = plan(
      { recordConfig: { recordType: 'audio' } },
      (candidate) => candidate === audioMimeType,
    );

    assert.deepEqual(['audio', audioMimeType], [type, mimeType]);
  });

  for (const codec of ['vp8', 'vp9', 'av1']) {
    test(`codec ${codec} is requested from MediaRecorder`, () => {
      assert.equal(`video/webm;codecs=${codec},opus`, plan({ recordConfig: { codec } }).mimeType);
    });
  }

  test('videoBitsPerSecond grows with size and frame rate', () => {
    const bits = [360, 480, 720].flatMap((recordVideoQuality) =>
      [15, 30].map(
        (recordVideoFrame) =>
          plan({ recordConfig: { recordVideoQuality, recordVideoFrame } }).videoBitsPerSecond,
      ),
    );

    const [small, smooth, , , large, largest] = bits;
    assert.equal(1_500_000, largest);
    assert.ok(Number(small) < Number(smooth) && Number(smooth) < Number(large));
    // In a measurement, the markers of 16 participants were all readable at 640x360 in VP9 at 400 kbps.
    assert.ok(bits.every((each) => each >= 400_000 && each % 50_000 === 0));
  });
});

const audioMimeType = 'audio/webm;codecs=opus';

describe('an error names the option, the given value and the allowed values', () => {
  for (const [option, given, allowed] of /** @type {[string, unknown, string][]} */ ([
    ['recordType', 'picture', '"audio", "video"'],
    ['recordType', 0, '"audio", "video"'],
    ['recordVideoQuality', 999, '360, 480, 720'],
    ['recordVideoQuality', 'high', '360, 480, 720'],
    ['recordVideoQuality', [720], '360, 480, 720'],
    ['recordVideoFrame', 24, '15, 30'],
    ['recordVideoFrame', '30', '15, 30'],
    ['recordVideoFrame', true, '15, 30'],
    ['layout', 'pile', '"grid", "speaker"'],
    ['names', 'yes', 'true or false'],
    ['codec', 'h264', '"vp8", "vp9", "av1"'],
    ['recordName', 7, 'a string'],
    ['recordName', { a: 1 }, 'a string'],
    ['videoBitsPerSecond', 99_999, 'from 100000 to 50000000'],
    ['videoBitsPerSecond', 50_000_001, 'from 100000 to 50000000'],
    ['videoBitsPerSecond', 1.5e6 + 0.5, 'from 100000 to 50000000'],
    ['videoBitsPerSecond', '2M', 'from 100000 to 50000000'],
  ])) {
    test(`${option}: ${JSON.stringify(given)}`, () => {
      const { name, message, code } = refusal({ recordConfig: { [option]: given } });

      assert.deepEqual(['ConfigError', null], [name, code]);
      assert.ok(message.startsWith(`${option}: ${JSON.stringify(given)} `), message);
      assert.ok(message.includes(allowed), message);
    });
  }

  for (const unit of ['x', '会', '👩']) {
    test(`recordName of 1000 and of 1001 times ${unit}`, () => {
      assert.equal(
        unit.repeat(1000),
        plan({ recordConfig: { recordName: unit.repeat(1000) } }).config.recordName,
      );
      assert.equal(
        'recordName: 1001 characters is too long; use at most 1000.',
        refusal({ recordConfig: { recordName: unit.repeat(1001) } }).message,
      );
    });
  }

  test('recorder: "me"', () => {
    assert.equal(
      'recorder: "me" is not valid; choose one of "local", "all".',
      refusal({ recorder: 'me' }).message,
    );
  });

  test('an option that does not exist', () => {
    const { message } = refusal({ recordConfig: { recordSize: 1 } });

    assert.match(message, /^recordConfig: unknown option recordSize; choose from recordType, recordName, /);
    assert.match(
      refusal({ quality: 720 }).message,
      /unknown option quality; choose from recorder, recordConfig/,
    );
  });

  for (const data of ['all', 7, true, []]) {
    test(`${JSON.stringify(data)} as the argument or as recordConfig`, () => {
      assert.match(refusal(data).message, /^the argument: .* use an object/);
      assert.match(refusal({ recordConfig: data }).message, /^recordConfig: .* use an object/);
    });
  }

  test('a value that JSON cannot express', () => {
    /** @type {Record<string, unknown>} */
    const endless = {};
    endless['self'] = endless;

    for (const given of [10n, endless, () => 1, Symbol('x')]) {
      assert.match(refusal({ recordConfig: { codec: given } }).message, /^codec: /);
    }
  });
});

test('a codec that the browser lacks is a NotSupportedError', () => {
  const { name, code, message } = refusal(
    { recordConfig: { codec: 'av1' } },
    (mimeType) => !mimeType.includes('av1'),
  );

  assert.deepEqual(['NotSupportedError', 10450], [name, code]);
  assert.match(message, /video\/webm;codecs=av1,opus/);
});

test('an invalid option is refused before the browser is checked', () => {
  assert.equal('ConfigError', refusal({ recordConfig: { codec: 'mp3' } }, () => assert.fail('asked')).name);
});
