/** Examiner: looks for markers in tracks for as long as the tracks exist, since a track's content may change. */

import { Emitter } from '../shared/events.js';
import { ToneDetector, readFrame } from './identify.js';

/**
 * A video counts as examined after this many frames without a marker, or after this time in ms since its first frame.
 * Until all attached participants have been found, FRAMES_WHILE_MISSING applies and EXAMINED_AFTER_WHILE_MISSING is
 * added, since the first frames of a video may be too blurred.
 */
const FRAMES = 45;
const FRAMES_WHILE_MISSING = 150;
const EXAMINED_AFTER = 1500;
const EXAMINED_AFTER_WHILE_MISSING = 3000;
/** Audio counts as examined after this time without a tone, in ms. */
const AUDIO_EXAMINED_AFTER = 1500;
/** A video without a marker is examined again at every Nth frame, and a video with a marker after this time in ms. */
const EVERY_FRAME = 15;
const AGAIN_AFTER = 2000;
/** Audio without a tone, and audio with a tone, are examined again after these times in ms. */
const AUDIO_AGAIN_AFTER = 1000;
const TONE_AGAIN_AFTER = 5000;

/** A video is static if its latest frame is at least this old, in ms. */
const STILL_AFTER = 500;

/** @typedef {{signal: AbortSignal, abort: () => void, lastFrame: VideoFrame | null, lastAt: number}} Examination */

/**
 * Sets `marker` and `examined` of each track, and emits `changed` with the track whenever one of them has changed.
 *
 * @extends {Emitter<{changed: ExaminedTrack}>}
 */
export class Examiner extends Emitter {
  /** @type {Map<ExaminedTrack, Examination>} */
  #examinations = new Map();
  #isSomebodyMissing;

  /** @param {() => boolean} isSomebodyMissing whether an attached participant has not been found in the call yet */
  constructor(isSomebodyMissing) {
    super();
    this.#isSomebodyMissing = isSomebodyMissing;
  }

  /** Starts examining a track. @param {ExaminedTrack} track */
  add(track) {
    if (this.#examinations.has(track)) return;
    const controller = new AbortController();
    const examination = {
      signal: controller.signal,
      abort: () => controller.abort(),
      lastFrame: null,
      lastAt: 0,
    };
    this.#examinations.set(track, examination);
    void (track.kind === 'video'
      ? this.#examineVideo(track, examination)
      : this.#examineAudio(track, examination));
  }

  /** Stops examining a track. @param {ExaminedTrack} track */
  remove(track) {
    const examination = this.#examinations.get(track);
    this.#examinations.delete(track);
    examination?.abort();
    examination?.lastFrame?.close();
  }

  close() {
    for (const track of [...this.#examinations.keys()]) this.remove(track);
  }

  /**
   * Returns a copy of the latest frame of a video that has no marker and is static, otherwise null.
   *
   * @param {ExaminedTrack} track
   */
  lastFrame(track) {
    return this.isStill(track) ? (this.#examinations.get(track)?.lastFrame?.clone() ?? null) : null;
  }

  /** Returns whether a video has no marker and is static. @param {ExaminedTrack} track */
  isStill(track) {
    const { lastFrame, lastAt } = this.#examinations.get(track) ?? { lastFrame: null, lastAt: 0 };
    return lastFrame !== null && performance.now() - lastAt > STILL_AFTER;
  }

  /** @param {ExaminedTrack} track @param {Examination} examination */
  async #examineVideo(track, examination) {
    const { signal } = examination;
    while (!signal.aborted) {
      await this.#readVideo(track, examination);
      // Another participant's video may replace a video with a marker, for example if a server switches streams.
      await pauseUnless(signal, AGAIN_AFTER);
    }
  }

  /**
   * Reads frames until one has a marker, or until the track ends.
   *
   * @param {ExaminedTrack} track
   * @param {Examination} examination
   */
  async #readVideo(track, examination) {
    const { signal } = examination;
    const first = track.frames?.locked === false ? track.frames : undefined;
    const { reader, close } = openTrack(track.track, signal, first);
    const isAgain = track.marker !== null;
    // A track that a server reuses may begin with the last frame of the previous participant, so two frames must have
    // the same marker.
    /** @type {number | null} */
    let candidate = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const finish = () => this.#update(track, track.marker);
    const finishLater = () => {
      if (this.#isSomebodyMissing()) timer = setTimeout(finish, EXAMINED_AFTER_WHILE_MISSING);
      else finish();
    };
    try {
      for (let frames = 0; ; frames += 1) {
        const { value: frame } = await reader.read();
        if (!frame) return;
        if (frames === 0 && !track.examined) timer = setTimeout(finishLater, EXAMINED_AFTER);
        try {
          const isDue = !track.examined || frames % EVERY_FRAME === 0;
          const marker = isDue ? await readFrame(/** @type {VideoFrame} */ (frame)) : null;
          if (signal.aborted) return;
          if (marker !== null && marker !== candidate) {
            candidate = marker;
            continue;
          }
          if (marker !== null) {
            examination.lastFrame?.close();
            examination.lastFrame = null;
            this.#update(track, marker);
            return;
          }
          // If the marker is no longer readable because the image is blurred or was replaced, the track keeps its
          // owner.
          if (isAgain && frames > FRAMES) return;
          if (isAgain) continue;
          examination.lastFrame?.close();
          examination.lastFrame = /** @type {VideoFrame} */ (frame).clone();
          examination.lastAt = performance.now();
          if (frames >= (this.#isSomebodyMissing() ? FRAMES_WHILE_MISSING : FRAMES)) finish();
        } finally {
          frame.close();
        }
      }
    } finally {
      clearTimeout(timer);
      close();
    }
  }

  /** @param {ExaminedTrack} track @param {Examination} examination */
  async #examineAudio(track, { signal }) {
    while (!signal.aborted) {
      await this.#readAudio(track, signal);
      await pauseUnless(signal, track.marker === null ? AUDIO_AGAIN_AFTER : TONE_AGAIN_AFTER);
    }
  }

  /**
   * Reads audio until a clear tone is found, or until AUDIO_EXAMINED_AFTER ms have passed.
   *
   * @param {ExaminedTrack} track
   * @param {AbortSignal} signal
   */
  async #readAudio(track, signal) {
    const { reader, close } = openTrack(track.track, signal);
    const detector = new ToneDetector();
    // The track also counts as examined if no audio arrives at all.
    const timer = setTimeout(close, AUDIO_EXAMINED_AFTER);
    try {
      for (;;) {
        const { value: audio } = await reader.read();
        if (!audio) return;
        detector.push(/** @type {AudioData} */ (audio));
        audio.close();
        if (detector.voice !== null) return;
      }
    } finally {
      clearTimeout(timer);
      close();
      if (!signal.aborted) this.#update(track, detector.voice ?? track.marker);
    }
  }

  /** @param {ExaminedTrack} track @param {number | null} marker */
  #update(track, marker) {
    if (track.examined && track.marker === marker) return;
    track.examined = true;
    track.marker = marker;
    this.emit('changed', track);
  }
}

/**
 * Returns a reader for a track's frames or audio; reading ends when `close` is called or `signal` is aborted.
 *
 * @param {MediaStreamTrack} track
 * @param {AbortSignal} signal
 * @param {ReadableStream<VideoFrame>} [frames] of the track
 */
function openTrack(track, signal, frames) {
  const init = /** @type {{track: MediaStreamVideoTrack}} */ (/** @type {unknown} */ ({ track }));
  const readable = frames ?? new MediaStreamTrackProcessor(init).readable;
  const reader = /** @type {ReadableStreamDefaultReader<VideoFrame | AudioData>} */ (
    /** @type {unknown} */ (readable.getReader())
  );
  const close = () => {
    signal.removeEventListener('abort', close);
    reader.cancel().catch(() => undefined);
  };
  signal.addEventListener('abort', close);
  return { reader, close };
}

/** Waits `ms`, or until `signal` is aborted. @param {AbortSignal} signal @param {number} ms */
async function pauseUnless(signal, ms) {
  if (signal.aborted) return;
  await new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve(undefined);
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
