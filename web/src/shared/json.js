/** Parses JSON without checking the structure of the result. */

/** @param {string} text @returns {unknown} */
export const parse = (text) => JSON.parse(text);
