/** Tile sizes: calculates the tiles' size on the screen, and the video size to request for the tiles. */

/** The gap between tiles, in pixels; it must equal `gap` in style.css. */
const GAP = 12;
/**
 * The video heights that can be requested, in pixels. Only a few video heights can be requested, so that resizing a
 * window does not constantly cause renegotiation.
 */
const STEPS = [180, 360, 540, 720];
const FRAME_RATE = 30;

/**
 * Returns the number of columns and the tile width with which 16:9 tiles best fill an area. If `height` is null, the
 * page scrolls: up to two tiles are placed in one column, and more tiles in two columns.
 *
 * @param {number} count
 * @param {number} width CSS pixels
 * @param {number | null} height CSS pixels
 */
export function arrange(count, width, height) {
  if (height === null) return count > 2 ? { columns: 2, width: (width - GAP) / 2 } : { columns: 1, width };
  let best = { columns: 1, width: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const wide = (width - GAP * (columns - 1)) / columns;
    const high = (height - GAP * (rows - 1)) / rows;
    const tile = Math.floor(Math.min(wide, (high * 16) / 9));
    if (tile > best.width) best = { columns, width: tile };
  }
  return best;
}

/** Returns the video size for a tile, at most 1280x720. @param {number} width CSS pixels @param {number} ratio device pixels per CSS pixel */
export function videoSize(width, ratio) {
  const needed = (width * ratio * 9) / 16;
  const height = STEPS.find((step) => step >= needed) ?? 720;
  return { width: (height * 16) / 9, height, frameRate: FRAME_RATE };
}
