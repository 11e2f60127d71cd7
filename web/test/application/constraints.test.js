import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { readConstraints, settle } from '../../src/application/constraints.js';
import { replaceGlobal } from '../support/globals.js';

/** The class of the error that Chrome raises; Node.js does not define this class. */
class Overconstrained extends Error {
  /** @param {string} constraint @param {string} message */
  constructor(constraint, message) {
    super(message);
    this.constraint = constraint;
  }
}

const CAMERA = {
  aspectRatio: { min: 2 / 1080, max: 1920 / 2 },
  deviceId: ['camera'],
  facingMode: [],
  frameRate: { min: 1, max: 30 },
  height: { min: 2, max: 1080 },
  resizeMode: ['none', 'crop-and-scale'],
  width: { min: 2, max: 1920 },
};
const DEFAULTS = { width: 1280, height: 720, frameRate: 30, resizeMode: 'none' };

/** @param {import('node:test').TestContext} context @param {unknown} constraints */
function choose(context, constraints) {
  replaceGlobal(context, 'OverconstrainedError', Overconstrained);
  return settle(CAMERA, DEFAULTS, readConstraints(constraints), [10, 15, 30]);
}

/** @param {import('node:test').TestContext} context @param {unknown} constraints */
function sizeFor(context, constraints) {
  const { width, height, frameRate } = choose(context, constraints);
  return `${width}x${height} at ${frameRate}`;
}

describe("a virtual camera's size", () => {
  for (const [constraints, expected] of /** @type {[unknown, string][]} */ ([
    [true, '1280x720 at 30'],
    [{}, '1280x720 at 30'],
    [{ width: 640 }, '640x360 at 30'],
    [{ height: { ideal: 360 } }, '640x360 at 30'],
    [{ width: '640', height: '360' }, '640x360 at 30'],
    [{ width: { ideal: 4096 }, height: { ideal: 2160 } }, '1920x1080 at 30'],
    [{ width: { max: 640 } }, '640x360 at 30'],
    [{ height: { max: 480 } }, '854x480 at 30'],
    [{ height: { min: 1080 } }, '1920x1080 at 30'],
    [{ width: { min: 640 }, height: { min: 480 } }, '1280x720 at 30'],
    [{ width: { exact: 320 } }, '320x180 at 30'],
    [{ width: { exact: 333 }, height: { exact: 77 } }, '333x77 at 30'],
    [{ advanced: [{ width: 640 }, { width: 320 }] }, '640x360 at 30'],
    [{ advanced: [{ width: 5000 }, { height: 180 }] }, '320x180 at 30'],
    [{ mandatory: { maxWidth: 640, maxFrameRate: 15 }, optional: [] }, '640x360 at 15'],
  ])) {
    test(`is ${expected} for ${JSON.stringify(constraints)}`, (context) => {
      assert.equal(sizeFor(context, constraints), expected);
    });
  }

  test('is 16:9 unless the constraints require another aspect ratio', (context) => {
    assert.equal(sizeFor(context, { width: 640, height: 480 }), '640x360 at 30');
    assert.equal(sizeFor(context, { width: { exact: 640 }, height: { exact: 480 } }), '640x480 at 30');
    assert.equal(
      sizeFor(context, { height: { ideal: 480 }, aspectRatio: { exact: 4 / 3 } }),
      '640x480 at 30',
    );
    assert.equal(sizeFor(context, { width: 640, height: { min: 480 } }), '640x480 at 30');
  });
});

describe("a virtual camera's frame rate", () => {
  test('keeps equal intervals between frames if the constraints allow it', (context) => {
    assert.equal(sizeFor(context, { frameRate: 24 }), '1280x720 at 30');
    assert.equal(sizeFor(context, { frameRate: { ideal: 60 } }), '1280x720 at 30');
    assert.equal(sizeFor(context, { frameRate: { max: 24 } }), '1280x720 at 15');
    assert.equal(sizeFor(context, { frameRate: { ideal: 10 } }), '1280x720 at 10');
  });

  test('is the required one', (context) => {
    assert.equal(sizeFor(context, { frameRate: { exact: 24 } }), '1280x720 at 24');
    assert.equal(sizeFor(context, { frameRate: { max: 7 } }), '1280x720 at 7');
  });
});

describe('constraints that a virtual camera cannot satisfy', () => {
  for (const [constraints, name] of /** @type {[unknown, string][]} */ ([
    [{ width: { exact: 5000 } }, 'width'],
    [{ width: { min: 5000 } }, 'width'],
    [{ height: { max: 1 } }, 'height'],
    [{ frameRate: { exact: 60 } }, 'frameRate'],
    [{ width: { min: 800, max: 700 } }, 'width'],
    [{ width: { exact: 640 }, height: { exact: 480 }, aspectRatio: { exact: 2 } }, 'aspectRatio'],
    [{ deviceId: { exact: 'another' } }, 'deviceId'],
    [{ deviceId: { exact: ['another', 'a third'] } }, 'deviceId'],
    [{ facingMode: { exact: 'user' } }, 'facingMode'],
    [{ pan: { exact: 1 } }, 'pan'],
    [{ width: { exact: 5000 }, height: { exact: 5000 } }, 'width'],
    [{ mandatory: { minWidth: 5000 } }, 'width'],
  ])) {
    test(`are named in the error for ${JSON.stringify(constraints)}`, (context) => {
      assert.throws(() => choose(context, constraints), { constraint: name });
    });
  }

  test('are ignored if they are only preferences', (context) => {
    assert.equal(choose(context, { deviceId: 'another', facingMode: 'user' })['deviceId'], 'camera');
  });

  test('are ignored if they are meant for a microphone', (context) => {
    assert.equal(sizeFor(context, { sampleRate: { exact: 1 } }), '1280x720 at 30');
  });

  test('are ignored if they are not numbers, unless a fraction is allowed', (context) => {
    assert.equal(sizeFor(context, { width: NaN, height: 'tall' }), '1280x720 at 30');
    assert.throws(() => choose(context, { frameRate: NaN }), TypeError);
    assert.throws(() => choose(context, { aspectRatio: { min: Infinity } }), TypeError);
  });
});

describe('the constraints of a track', () => {
  for (const [constraints, expected] of /** @type {[unknown, unknown][]} */ ([
    [true, {}],
    [{ width: { ideal: 640 }, zoomed: true }, { width: 640 }],
    [
      { width: '640', height: { max: 480 } },
      { width: 640, height: { max: 480 } },
    ],
    [{ deviceId: null, groupId: { exact: 'a' } }, { groupId: { exact: 'a' } }],
    [{ advanced: [{ width: 640, unknown: 1 }] }, { advanced: [{ width: 640 }] }],
    [
      { mandatory: { maxWidth: 640 }, optional: [{ sourceId: 'a' }, { minWidth: 320 }] },
      { width: { max: 640 }, advanced: [{ deviceId: 'a' }, { width: { min: 320 } }] },
    ],
  ])) {
    test(`are ${JSON.stringify(expected)} for ${JSON.stringify(constraints)}`, () => {
      assert.deepEqual(readConstraints(constraints).given, expected);
    });
  }

  test('are not mixed with constraints from before the standard', () => {
    assert.throws(() => readConstraints({ mandatory: {}, width: 3 }), /Malformed constraint/);
    const screen = { mandatory: { chromeMediaSource: 'desktop' } };
    assert.throws(() => readConstraints(screen), { name: 'AbortError' });
  });
});
