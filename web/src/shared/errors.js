/** The errors that users and Python receive, with NERTC's names and codes. */

/** @typedef {'ConfigError' | 'InvalidStateError' | 'NotSupportedError' | 'RecordingError' | 'DiskFullError' | 'StepTimeout' | 'Error'} ErrorName */

/** An error whose name Python maps to a class, with NERTC's code if NERTC defines one. */
export class HarnessError extends Error {
  /**
   * @param {ErrorName} name
   * @param {string} message
   * @param {number | null} [code]
   */
  constructor(name, message, code = null) {
    super(message);
    this.name = name;
    this.code = code;
  }
}

/** @param {string} message */
export const configError = (message) => new HarnessError('ConfigError', message);

/** Creates an error with NERTC's code 10450, RECORDING_NOT_SUPPORT. @param {string} message */
export const notSupported = (message) => new HarnessError('NotSupportedError', message, 10450);

/**
 * Creates an error with NERTC's code 10452, RECORDING_CACHE_ERROR, for a spool failure.
 *
 * @param {string} message
 */
export const cacheError = (message) => new HarnessError('RecordingError', message, 10452);

/** Creates an error with NERTC's code 10453, RECORDING_ERROR. @param {string} message */
export const recordingError = (message) => new HarnessError('RecordingError', message, 10453);

/**
 * Creates an error with NERTC's code 10454, RECORDING_NOT_START_ERROR, for a valid call that is made at the wrong time.
 *
 * @param {string} message
 */
export const invalidState = (message) => new HarnessError('InvalidStateError', message, 10454);

/** @param {string} message */
export const stepTimeout = (message) => new HarnessError('StepTimeout', message);

/**
 * Resolves with the result of `promise`, or fails with a StepTimeout after `ms`.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {number} ms
 * @param {() => string} message returns the error message: what was expected, and what was found instead
 * @returns {Promise<T>}
 */
export async function within(promise, ms, message) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(stepTimeout(message())), ms);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}
