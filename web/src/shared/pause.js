/** Pause: returns a promise that resolves after a delay. */

/** Resolves after `ms`. @param {number} ms @returns {Promise<void>} */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
