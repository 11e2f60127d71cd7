/** JSON whose shape has not been checked yet. */

/** @param {string} text @returns {unknown} */
export const parse = (text) => JSON.parse(text);
