/** Track events: the beginning and end of another application's tracks, and the markers in them. */

import { pageNow } from '../shared/clock.js';

/** @typedef {import('./mixer.js').Source} Source */

/**
 * Returns the events for those of a source's tracks that have changed.
 *
 * @param {Source | null} before
 * @param {Source | null} now
 * @returns {RoomEvent[]}
 */
export function trackEvents(before, now) {
  const source = now ?? before;
  if (!source) return [];
  /** @type {RoomEvent[]} */
  const events = [];
  for (const kind of /** @type {const} */ (['video', 'audio'])) {
    const [old, fresh] = [trackOf(before, kind), trackOf(now, kind)];
    if ((!old && !fresh) || (old?.track === fresh?.track && old?.marker === fresh?.marker)) continue;
    const marker = fresh?.marker;
    events.push({
      time: pageNow(),
      event: 'track',
      participant: source.name,
      track: source.track ?? (kind === 'video' ? 'camera' : 'microphone'),
      kind,
      on: Boolean(fresh),
      ...(typeof marker === 'number' ? { marker } : {}),
      ...(marker === null ? { message: 'no marker' } : {}),
    });
  }
  return events;
}

/** @param {Source | null} source @param {'video' | 'audio'} kind */
function trackOf(source, kind) {
  const track = source?.[`${kind}Track`];
  return source?.markers && track ? { track, marker: source.markers[kind] } : null;
}
