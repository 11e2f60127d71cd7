/** RecordPlan: checks NERTC's recordConfig and converts it to size, frame rate, mimeType and bitrates. */

import { configError, notSupported } from '../shared/errors.js';

/** NERTC's recordVideoQuality -> pixels. */
const SIZES = /** @type {const} */ ({ 360: [640, 360], 480: [640, 480], 720: [1280, 720] });
const RECORDERS = ['local', 'all'];
const TYPES = ['audio', 'video'];
const FRAME_RATES = [15, 30];
const LAYOUTS = ['grid', 'speaker'];
/**
 * Each codec's default bitrate at 1280x720 and 30 fps. At these default bitrates, the quality is about the same for all
 * codecs.
 */
const BITS = { vp8: 2_500_000, vp9: 1_500_000, av1: 1_500_000 };
const OPTIONS = [
  'recordType',
  'recordName',
  'recordVideoQuality',
  'recordVideoFrame',
  'layout',
  'names',
  'codec',
  'videoBitsPerSecond',
];
const AUDIO_BITS = 128_000;
/**
 * Maximum length of a name, in characters, counted in the same way as on the server. The maximum length must equal the
 * limit in harness/recording/config.py.
 */
const LONGEST_NAME = 1000;

/**
 * Returns a recording's plan; throws a ConfigError that names the invalid option, or a NotSupportedError.
 *
 * @param {unknown} data the argument of NERTC's call
 * @param {(mimeType: string) => boolean} [supported]
 * @returns {RecordPlan}
 */
export function recordPlan(data, supported = (mimeType) => MediaRecorder.isTypeSupported(mimeType)) {
  const options = record('the argument', data ?? {});
  only('the argument', options, ['recorder', 'recordConfig']);
  const given = record('recordConfig', options['recordConfig'] ?? {});
  only('recordConfig', given, OPTIONS);
  const recorder = oneOf('recorder', options['recorder'] ?? 'all', RECORDERS);
  const type = oneOf('recordType', given['recordType'] ?? 'video', TYPES);
  const quality = oneOf(
    'recordVideoQuality',
    numeric(given['recordVideoQuality'] ?? 360),
    Object.keys(SIZES).map(Number),
  );
  const frameRate = oneOf('recordVideoFrame', given['recordVideoFrame'] ?? 15, FRAME_RATES);
  const layout = oneOf('layout', given['layout'] ?? 'grid', LAYOUTS);
  const codec = /** @type {keyof typeof BITS} */ (oneOf('codec', given['codec'] ?? 'vp9', Object.keys(BITS)));
  const name = given['recordName'] ?? '';
  if (typeof name !== 'string') throw configError(`recordName: ${show(name)} is not valid; use a string.`);
  const characters = [...name].length;
  if (characters > LONGEST_NAME)
    throw configError(`recordName: ${characters} characters is too long; use at most ${LONGEST_NAME}.`);
  const names = given['names'] ?? true;
  if (typeof names !== 'boolean') throw configError(`names: ${show(names)} is not valid; use true or false.`);
  const [width, height] = SIZES[/** @type {keyof typeof SIZES} */ (quality)];
  const bits = given['videoBitsPerSecond'] ?? defaultBits(BITS[codec], width, height, frameRate);
  if (typeof bits !== 'number' || !Number.isInteger(bits) || bits < 100_000 || bits > 50_000_000) {
    throw configError(
      `videoBitsPerSecond: ${show(bits)} is not valid; use a whole number of bits per second from 100000 to 50000000.`,
    );
  }
  const mimeType = type === 'audio' ? 'audio/webm;codecs=opus' : `video/webm;codecs=${codec},opus`;
  if (!supported(mimeType)) {
    throw notSupported(`This browser can't record ${mimeType}; use Chrome or another codec.`);
  }
  return {
    recorder: /** @type {RecorderKind} */ (recorder),
    type: /** @type {'audio' | 'video'} */ (type),
    layout: /** @type {LayoutName} */ (layout),
    names,
    codec,
    mimeType,
    width,
    height,
    frameRate,
    videoBitsPerSecond: bits,
    audioBitsPerSecond: AUDIO_BITS,
    config: {
      recordType: /** @type {'audio' | 'video'} */ (type),
      recordName: name,
      recordVideoQuality: quality,
      recordVideoFrame: frameRate,
      layout: /** @type {LayoutName} */ (layout),
      names,
      codec,
      videoBitsPerSecond: bits,
    },
  };
}

/**
 * Returns a bitrate at which the tiles of a 4x4 layout stay readable. Below 1280x720 and 30 fps, the bitrate falls more
 * slowly than the pixel rate.
 *
 * @param {number} most @param {number} width @param {number} height @param {number} frameRate
 */
function defaultBits(most, width, height, frameRate) {
  const share = ((width * height) / (1280 * 720)) ** 0.75 * (frameRate / 30) ** 0.5;
  return Math.round((most * share) / 50_000) * 50_000;
}

/**
 * @template T
 * @param {string} option
 * @param {unknown} given
 * @param {readonly T[]} allowed
 * @returns {T}
 */
function oneOf(option, given, allowed) {
  const choice = allowed.find((value) => value === given);
  if (choice === undefined) {
    throw configError(
      `${option}: ${show(given)} is not valid; choose one of ${allowed.map(show).join(', ')}.`,
    );
  }
  return choice;
}

/** @param {string} what @param {unknown} value @returns {Record<string, unknown>} */
function record(what, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw configError(`${what}: ${show(value)} is not valid; use an object.`);
  }
  return /** @type {Record<string, unknown>} */ (value);
}

/** @param {string} what @param {Record<string, unknown>} value @param {string[]} allowed */
function only(what, value, allowed) {
  const unknown = Object.keys(value).find((key) => !allowed.includes(key));
  if (unknown !== undefined)
    throw configError(`${what}: unknown option ${unknown}; choose from ${allowed.join(', ')}.`);
}

/** Converts "720p" and "720" to 720. @param {unknown} value */
const numeric = (value) =>
  typeof value === 'string' && /^\d+p?$/.test(value) ? Number.parseInt(value, 10) : value;

/** @param {unknown} value */
function show(value) {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return typeof value;
  }
}
