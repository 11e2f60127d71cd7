/** Parses JSON whose shape is not checked yet. */

/** @param {string} text @returns {unknown} */
export const parse = (text) => JSON.parse(text);
