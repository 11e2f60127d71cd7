/** Pause: a timer as a promise. */

/** Resolves after `ms`. @param {number} ms @returns {Promise<void>} */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
