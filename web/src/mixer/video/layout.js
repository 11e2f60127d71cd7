/** Layouts: where everybody's tile is in the frame. */

/** @param {number} value */
const evenDown = (value) => 2 * Math.floor(value / 2);

/**
 * Returns the tiles of a grid: as square as possible, the last row centred, every edge on an even pixel.
 *
 * @param {number} count
 * @param {number} width of the frame, pixels
 * @param {number} height of the frame, pixels
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
 * Returns one large tile above a strip of small ones: the first is the large one.
 *
 * @param {number} count
 * @param {number} width of the frame, pixels
 * @param {number} height of the frame, pixels
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
 * Returns everybody's tile by id.
 *
 * @param {LayoutName} layout
 * @param {string[]} ids in the order of the tiles
 * @param {string | null} first who has the large tile in the layout 'speaker'
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
 * Returns the place of an image in a tile: as large as fits, centred, every edge even.
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
 * Returns the size at which each participant's video is needed, by id.
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
