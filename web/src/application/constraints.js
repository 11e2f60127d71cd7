/**
 * Constraints: chooses settings of a virtual device that satisfy an application's constraints (W3C Media Capture and
 * Streams).
 *
 * Input: constraints as the application wrote them, and a device's capabilities. Output: settings, or the error that
 * Chrome raises.
 */

/** @typedef {string | number | boolean} Value */
/** One constraint. @typedef {{min?: number, max?: number, exact?: Value[], ideal?: Value[]}} Constraint */
/** @typedef {Partial<Record<string, Constraint>>} ConstraintSet */
/**
 * Constraints that have been checked: `given` is what `getConstraints` returns.
 *
 * @typedef {{basic: ConstraintSet, advanced: ConstraintSet[], given: MediaTrackConstraints}} Constraints
 */
/** @typedef {{min: number, max: number}} Range */
/** The values that a device can have: a range of numbers, or a list. @typedef {Record<string, Range | readonly Value[]>} Capabilities */

/** The constraints that take integers in Chrome; all other numeric constraints also accept fractions. */
const INTEGERS = ['width', 'height', 'sampleRate', 'sampleSize', 'channelCount'];
const NUMBERS = [...INTEGERS, 'aspectRatio', 'frameRate', 'latency', 'pan', 'tilt', 'zoom'];
const BOOLEANS = ['echoCancellation', 'autoGainControl', 'noiseSuppression', 'voiceIsolation'];
const STRINGS = ['deviceId', 'groupId', 'facingMode', 'resizeMode', 'displaySurface'];
/** The order matters: Chrome's error names the first of these constraints that can't be met. */
const NAMES = [...STRINGS, ...NUMBERS, ...BOOLEANS];
/**
 * A virtual camera can't pan, tilt or zoom. Chrome refuses to open a camera if one of these constraints is required.
 */
export const MOVEMENTS = ['pan', 'tilt', 'zoom'];
/** Numbers that differ by no more than this count as equal, since the difference is only a rounding error. */
const ROUNDING = 1e-3;

/**
 * Reads the constraints of one track.
 *
 * @param {unknown} given true or MediaTrackConstraints
 * @returns {Constraints}
 */
export function readConstraints(given) {
  if (!isObject(given)) return { basic: {}, advanced: [], given: {} };
  const { mandatory, optional, ...standard } = given;
  const isLegacy = mandatory !== undefined || optional !== undefined;
  if (isLegacy && Object.keys(standard).length > 0) throw new TypeError(MALFORMED);
  const { advanced: sets, ...rest } = isLegacy ? fromLegacy(mandatory, optional) : standard;
  const basic = readSet(rest, 'ideal');
  const advanced = [.../** @type {Record<string, unknown>[]} */ (sets ?? [])].map((set) =>
    readSet(set, 'exact'),
  );
  const written = {
    ...writeSet(basic, 'ideal'),
    ...(advanced.length > 0 && { advanced: advanced.map((set) => writeSet(set, 'exact')) }),
  };
  return { basic, advanced, given: written };
}

const MALFORMED =
  'Malformed constraint: Cannot use both optional/mandatory and specific or advanced constraints.';

/**
 * Converts constraints from the pre-standard form, for example {mandatory: {maxWidth: 640}}. Chrome still accepts the
 * pre-standard form.
 *
 * @param {unknown} mandatory
 * @param {unknown} optional
 * @returns {Record<string, unknown>}
 */
function fromLegacy(mandatory, optional) {
  const sets = Array.isArray(optional) ? /** @type {unknown[]} */ (optional) : [];
  return { ...fromLegacySet(mandatory), advanced: sets.map(fromLegacySet) };
}

/** @param {unknown} legacy */
function fromLegacySet(legacy) {
  /** @type {Record<string, Record<string, unknown>>} */
  const set = {};
  for (const [name, value] of Object.entries(isObject(legacy) ? legacy : {})) {
    // Only extensions may use the `chromeMediaSource` constraints to capture the screen.
    if (name.startsWith('chromeMediaSource')) throw new DOMException('Invalid state', 'AbortError');
    const [, bound = 'exact', first = '', others = ''] = /^(min|max)([A-Z])(\w+)$/.exec(name) ?? [];
    const standard = bound === 'exact' ? name : first.toLowerCase() + others;
    const known = standard === 'sourceId' ? 'deviceId' : standard;
    set[known] = { ...set[known], [bound]: value };
  }
  return set;
}

/**
 * @param {Record<string, unknown>} set
 * @param {'ideal' | 'exact'} bare whether a value without a name means `ideal` or `exact`
 * @returns {ConstraintSet}
 */
function readSet(set, bare) {
  /** @type {ConstraintSet} */
  const found = {};
  for (const name of NAMES) {
    // Web IDL converts null to an empty dictionary.
    const value = set[name] === null ? {} : set[name];
    if (value === undefined) continue;
    const named = isObject(value) && !Array.isArray(value) ? value : { [bare]: value };
    /** @type {Constraint} */
    const constraint = {};
    for (const kind of /** @type {const} */ (['exact', 'ideal'])) {
      const wanted = named[kind];
      if (wanted !== undefined)
        constraint[kind] = (Array.isArray(wanted) ? wanted : [wanted]).map((one) => convert(name, one));
    }
    for (const kind of /** @type {const} */ (['min', 'max'])) {
      if (named[kind] !== undefined && NUMBERS.includes(name)) constraint[kind] = toNumber(name, named[kind]);
    }
    if (Object.keys(constraint).length > 0) found[name] = constraint;
  }
  return found;
}

/**
 * Returns constraints in the form in which `getConstraints` returns them.
 *
 * @param {ConstraintSet} set
 * @param {'ideal' | 'exact'} bare
 */
function writeSet(set, bare) {
  /** @type {Record<string, unknown>} */
  const written = {};
  for (const [name, constraint = {}] of Object.entries(set)) {
    if (name === 'displaySurface') continue;
    const { exact, ideal, ...bounds } = constraint;
    const named = {
      ...bounds,
      ...(exact && { exact: exact.length === 1 ? exact[0] : exact }),
      ...(ideal && { ideal: ideal.length === 1 ? ideal[0] : ideal }),
    };
    const isBare = Object.keys(named).length === 1 && named[bare] !== undefined;
    written[name] = isBare ? named[bare] : named;
  }
  return written;
}

/** @param {string} name @param {unknown} value @returns {Value} */
function convert(name, value) {
  if (MOVEMENTS.includes(name) && typeof value === 'boolean') return value;
  if (NUMBERS.includes(name)) return toNumber(name, value);
  return BOOLEANS.includes(name) ? Boolean(value) : String(value);
}

/** @param {string} name @param {unknown} value */
function toNumber(name, value) {
  const number = Number(value);
  if (Number.isFinite(number)) return INTEGERS.includes(name) ? Math.trunc(number) : number;
  if (INTEGERS.includes(name)) return 0;
  throw new TypeError('The provided double value is non-finite.');
}

/**
 * Returns whether a constraint requires a value, and does not merely prefer it.
 *
 * @param {Constraint | undefined} constraint
 */
export const isRequired = (constraint) =>
  ['min', 'max', 'exact'].some((kind) => Object.hasOwn(constraint ?? {}, kind));

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => typeof value === 'object' && value !== null;

/**
 * Returns the settings that satisfy the constraints; throws an OverconstrainedError if there are none.
 *
 * @param {Capabilities} capabilities
 * @param {Record<string, Value>} defaults the settings to use unless the constraints require or prefer others
 * @param {Constraints} constraints
 * @param {readonly number[]} [steadyRates] the frame rates that are preferred, in ascending order
 * @param {string} [message] of the error
 */
export function settle(capabilities, defaults, { basic, advanced }, steadyRates = [], message = '') {
  const first = restrict(capabilities, basic);
  if (first.failed) throw new OverconstrainedError(first.failed, message);
  let { allowed } = first;
  let wanted = basic;
  for (const set of advanced) {
    const further = restrict(allowed, set);
    // According to the standard, an advanced set that can't be satisfied is skipped entirely.
    if (further.failed) continue;
    ({ allowed } = further);
    wanted = { ...wanted, ...set };
  }
  /** @type {Record<string, Value>} */
  const settings = {};
  for (const [name, values] of Object.entries(allowed)) {
    const ideal = wanted[name]?.ideal ?? [];
    if (isRange(values)) {
      settings[name] = clamp(Number(ideal[0] ?? defaults[name] ?? values.max), values);
    } else {
      const chosen = [...ideal, defaults[name], ...values].find(
        (one) => one !== undefined && values.includes(one),
      );
      if (chosen !== undefined) settings[name] = chosen;
    }
  }
  if ('width' in allowed) {
    Object.assign(settings, chooseSize(allowed, wanted, defaults));
    const rate = Number(settings['frameRate']);
    settings['frameRate'] = chooseRate(rangeOf(allowed, 'frameRate'), rate, steadyRates);
  }
  return settings;
}

/**
 * Returns the values that satisfy a set of constraints, and the name of the first constraint that can't be satisfied.
 *
 * @param {Capabilities} capabilities
 * @param {ConstraintSet} set
 * @returns {{allowed: Capabilities, failed: string | null}}
 */
function restrict(capabilities, set) {
  const allowed = { ...capabilities };
  for (const name of NAMES) {
    const { exact, min, max } = set[name] ?? {};
    const values = allowed[name];
    if (!isRequired(set[name])) continue;
    // Constraints for another kind of device are ignored.
    if (values === undefined && !MOVEMENTS.includes(name)) continue;
    if (values === undefined) return { allowed, failed: name };
    if (isRange(values)) {
      const [only] = /** @type {number[]} */ (exact ?? []);
      const range = {
        min: Math.max(values.min, min ?? -Infinity, only ?? -Infinity),
        max: Math.min(values.max, max ?? Infinity, only ?? Infinity),
      };
      if (range.min > range.max + ROUNDING) return { allowed, failed: name };
      allowed[name] = range;
    } else {
      const left = values.filter((one) => exact?.includes(one));
      if (left.length === 0) return { allowed, failed: name };
      allowed[name] = left;
    }
  }
  if (!('width' in allowed)) return { allowed, failed: null };
  const [width, height, ratio] = shapeOf(allowed);
  const narrow = width.max / height.min < ratio.min * (1 - ROUNDING);
  const wide = width.min / height.max > ratio.max * (1 + ROUNDING);
  return { allowed, failed: narrow || wide ? 'aspectRatio' : null };
}

/**
 * Returns the largest size with the device's aspect ratio that is not larger than the preferred size. Other aspect
 * ratios are chosen only if the constraints leave no choice, since `verify` expects the frames of synthetic video to be
 * 16:9.
 *
 * @param {Capabilities} allowed
 * @param {ConstraintSet} wanted
 * @param {Record<string, Value>} defaults
 */
function chooseSize(allowed, wanted, defaults) {
  const [width, height, ratio] = shapeOf(allowed);
  const idealOf = (/** @type {string} */ name) => {
    const value = Number(wanted[name]?.ideal?.[0]);
    return value > 0 ? value : undefined;
  };
  const defaultWidth = Number(defaults['width']);
  const shape = clamp(defaultWidth / Number(defaults['height']), ratio);
  const required = (/** @type {Range} */ { min, max }) => (min === max ? min : undefined);
  const wide = idealOf('width') ?? required(width);
  const high = idealOf('height') ?? required(height);
  const most = wide ?? Math.max(high === undefined ? defaultWidth : high * shape, height.min * shape);
  const highest = clamp(high ?? Infinity, height);
  const [least, largest] = [
    Math.max(width.min, height.min * ratio.min),
    Math.min(width.max, height.max * ratio.max),
  ];
  const chosen = clamp(Math.min(most, highest * shape), { min: least, max: largest });
  const fitting = clamp(chosen / shape, {
    min: Math.max(height.min, chosen / ratio.max),
    max: Math.min(height.max, chosen / ratio.min),
  });
  const size = { width: whole(chosen, width), height: whole(fitting, height) };
  return { ...size, aspectRatio: size.width / size.height };
}

/**
 * Returns the lowest steady frame rate that is not below the preferred frame rate. Other frame rates are chosen only if
 * the constraints leave no choice.
 *
 * @param {Range} allowed
 * @param {number} wanted
 * @param {readonly number[]} steadyRates
 */
function chooseRate({ min, max }, wanted, steadyRates) {
  const possible = steadyRates.filter((rate) => rate >= min && rate <= max);
  return possible.find((rate) => rate >= wanted) ?? possible.at(-1) ?? wanted;
}

/** Returns the ranges of width, height and aspect ratio. @param {Capabilities} allowed */
const shapeOf = (allowed) =>
  /** @type {const} */ ([
    rangeOf(allowed, 'width'),
    rangeOf(allowed, 'height'),
    rangeOf(allowed, 'aspectRatio'),
  ]);

/** @param {Capabilities} allowed @param {string} name */
const rangeOf = (allowed, name) => /** @type {Range} */ (allowed[name]);

/** @param {Range | readonly Value[]} values @returns {values is Range} */
const isRange = (values) => !Array.isArray(values);

/** @param {number} value @param {Range} range */
const clamp = (value, { min, max }) => Math.min(Math.max(value, min), max);

/**
 * Rounds to an even number of pixels, or to the nearest whole number if that even number is not allowed.
 *
 * @param {number} value
 * @param {Range} range
 */
function whole(value, { min, max }) {
  const even = 2 * Math.round(value / 2);
  return even >= min && even <= max ? even : Math.round(value);
}
