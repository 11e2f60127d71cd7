/** Sources: converts a participant's extra tracks to sources for the mixer. */

/** @typedef {import('../mixer/mixer.js').Source} Source */

/**
 * @param {string} id the participant's id
 * @param {readonly ExtraTracks[]} extras
 * @param {(label: string) => Pick<Source, 'name' | 'remote' | 'skew' | 'resumePlayback' | 'mayRest' | 'lastFrame'>} common
 * returns the properties that do not depend on the tracks
 * @param {(track: MediaStreamTrack | null) => boolean} isOn
 * @returns {Source[]}
 */
export const extraSources = (id, extras, common, isOn) =>
  extras.map(({ label, ...tracks }) => ({
    ...common(label),
    ...tracks,
    id: `${id}/${label}`,
    track: label,
    video: isOn(tracks.videoTrack),
    audio: isOn(tracks.audioTrack),
    screen: true,
  }));
