/** Layouts: calculates the position of each participant's tile in the frame. */

/** @param {number} value */
const evenDown = (value) => 2 * Math.floor(value / 2);

/**
 * Returns the tiles of a grid that is as square as possible. The last row is centered, and all edges are on even
 * pixels.
 *
 * @param {number} count
 * @param {number} width the frame's width, in pixels
 * @param {number} height the frame's height, in pixels
 * @returns {TileRect[]}
 */
export function grid(count, width, height) {
  if (count === 0) return [];
  const columns = Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  const tile = { width: evenDown(width / columns), height: evenDown(height / rows) };
  const top = evenDown((height - rows * tile.height) / 2);
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = evenDown((width - inRow * tile.width) / 2);
    return { x: left + (index % columns) * tile.width, y: top + row * tile.height, ...tile };
  });
}

/**
 * Returns one large tile, followed by small tiles in a row below it.
 *
 * @param {number} count
 * @param {number} width the frame's width, in pixels
 * @param {number} height the frame's height, in pixels
 * @returns {TileRect[]}
 */
export function speaker(count, width, height) {
  if (count < 2) return grid(count, width, height);
  const strip = evenDown(height / 4);
  const tile = { width: evenDown(Math.min(width / (count - 1), (strip * 16) / 9)), height: strip };
  const left = evenDown((width - (count - 1) * tile.width) / 2);
  const large = { x: 0, y: 0, width: evenDown(width), height: evenDown(height) - strip };
  const small = Array.from({ length: count - 1 }, (_, index) => ({
    x: left + index * tile.width,
    y: large.height,
    ...tile,
  }));
  return [large, ...small];
}

/**
 * Returns each participant's tile by id.
 *
 * @param {LayoutName} layout
 * @param {string[]} ids the participants' ids, in the order of the tiles
 * @param {string | null} first the participant in the large tile of the 'speaker' layout
 * @param {{width: number, height: number}} frame
 * @returns {Map<string, TileRect>}
 */
export function arrange(layout, ids, first, { width, height }) {
  const order =
    layout === 'speaker' && first !== null && ids.includes(first)
      ? [first, ...ids.filter((id) => id !== first)]
      : ids;
  const tiles = (layout === 'speaker' ? speaker : grid)(ids.length, width, height);
  return new Map(order.map((id, index) => [id, /** @type {TileRect} */ (tiles[index])]));
}

/**
 * Returns the rectangle that an image occupies within a tile. The image's rectangle is centered and as large as
 * possible, with all edges on even pixels.
 *
 * @param {{width: number, height: number}} image
 * @param {TileRect} tile
 * @returns {TileRect}
 */
export function contain(image, tile) {
  const scale = Math.min(tile.width / image.width, tile.height / image.height);
  const width = Math.min(tile.width, 2 * Math.round((image.width * scale) / 2));
  const height = Math.min(tile.height, 2 * Math.round((image.height * scale) / 2));
  return {
    x: tile.x + evenDown((tile.width - width) / 2),
    y: tile.y + evenDown((tile.height - height) / 2),
    width,
    height,
  };
}

/**
 * Returns the video size that the layout needs from each participant, by id.
 *
 * @param {string[]} ids
 * @param {RecordPlan} plan
 * @param {string | null} speaker
 * @returns {Record<string, VideoSize>}
 */
export function tileSizes(ids, plan, speaker) {
  const tiles = [...arrange(plan.layout, ids, speaker, plan)];
  return Object.fromEntries(
    tiles.map(([id, { width, height }]) => [id, { width, height, frameRate: plan.frameRate }]),
  );
}
