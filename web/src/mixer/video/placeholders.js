/** Name labels and placeholders, which are drawn once on a canvas and then copied like any other image. */

import { fromRgba } from '../../shared/i420.js';
import { place } from './planes.js';

/** @typedef {import('./planes.js').Arena} Arena */
/** @typedef {import('../../shared/i420.js').I420Image} I420Image */

/**
 * Returns the label for a tile's lower left corner, or null if the name is empty or doesn't fit.
 *
 * @param {Arena} arena
 * @param {string} name
 * @param {TileRect} tile
 */
export function drawLabel(arena, name, tile) {
  const height = 2 * Math.round(Math.min(34, Math.max(14, tile.height / 11)) / 2);
  const font = `500 ${Math.round(height * 0.6)}px system-ui, sans-serif`;
  const wide = measure(name, font) + height * 0.8;
  const width = 2 * Math.round(Math.min(wide, tile.width * 0.7) / 2);
  if (!name || width < 8) return null;
  return draw(arena, width, height, (context) => {
    context.fillStyle = '#16181d';
    context.fillRect(0, 0, width, height);
    context.fillStyle = '#f1f3f5';
    context.font = font;
    context.textBaseline = 'middle';
    context.fillText(name, height * 0.4, height * 0.53, width - height * 0.8);
  });
}

/**
 * Draws a placeholder with the participant's initial and name over the whole tile.
 *
 * @param {Arena} arena
 * @param {I420Image} composite
 * @param {string} name
 * @param {TileRect} tile
 */
export function drawPlaceholder(arena, composite, name, tile) {
  const { width, height } = tile;
  const placeholder = draw(arena, width, height, (context) => {
    context.fillStyle = '#20242c';
    context.fillRect(0, 0, width, height);
    const radius = height * 0.19;
    context.fillStyle = '#39414f';
    context.beginPath();
    context.arc(width / 2, height * 0.42, radius, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = '#f1f3f5';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.font = `600 ${Math.round(radius)}px system-ui, sans-serif`;
    context.fillText((Array.from(name)[0] ?? '').toUpperCase(), width / 2, height * 0.43);
    context.font = `500 ${Math.round(height * 0.08)}px system-ui, sans-serif`;
    context.fillText(name, width / 2, height * 0.74, width * 0.9);
  });
  if (!placeholder) return;
  place(arena.memory, placeholder, composite, tile);
  arena.free(placeholder);
}

/**
 * @param {Arena} arena
 * @param {number} width
 * @param {number} height
 * @param {(context: OffscreenCanvasRenderingContext2D) => void} paint
 */
function draw(arena, width, height, paint) {
  const image = arena.allocate(width, height);
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!image || !context) return null;
  paint(context);
  const { data } = context.getImageData(0, 0, width, height);
  fromRgba(data, width * 4, arena.memory, image);
  return image;
}

/** @param {string} text @param {string} font */
function measure(text, font) {
  const context = new OffscreenCanvas(1, 1).getContext('2d');
  if (!context) return 0;
  context.font = font;
  return context.measureText(text).width;
}
