/**
 * Subscriber: chooses the participants whose media we receive, the size of their videos, and the size of our own video.
 */

/**
 * A recording's plan, and the participant in the large tile.
 *
 * @typedef {{plan: RecordPlan, speaker: string | null}} Needs
 */

/**
 * The video size to request when only a participant's audio is needed. A subscription can't omit the video, and a small
 * video costs little.
 */
const SMALLEST = { width: 160, height: 90, frameRate: 15 };

export class Subscriber {
  /** The participants that the page shows. @type {Subscriptions} */
  #watched = null;
  /** The size of our tile in our own recording. @type {VideoSize | null} */
  #ownSize = null;
  /** @type {CallRoom | null} */
  #room = null;
  #tileSizes;
  #devices;

  /**
   * @param {(ids: string[], plan: RecordPlan, speaker: string | null) => Record<string, VideoSize>} tileSizes
   * @param {import('./devices.js').Devices} devices
   */
  constructor(tileSizes, devices) {
    this.#tileSizes = tileSizes;
    this.#devices = devices;
  }

  /** @param {CallRoom} room */
  follow(room) {
    this.#room = room;
    room.listen('requested', () => this.fit());
  }

  /**
   * Sets the participants that the page shows. The subscriptions change at the next call to `update`.
   *
   * @param {Subscriptions} subscriptions
   */
  watch(subscriptions) {
    this.#watched = subscriptions;
  }

  /**
   * Subscribes to the participants of the newest recording, at the size of their tiles, and to the participants that
   * the page shows.
   *
   * @param {Needs | null} needs
   */
  update(needs) {
    const room = this.#room;
    if (!room) return;
    const all = needs?.plan.recorder === 'all';
    const ids = [room.id, ...(all ? room.participants.keys() : [])];
    const sizes = needs?.plan.type === 'video' ? this.#tileSizes(ids, needs.plan, needs.speaker) : {};
    this.#ownSize = sizes[room.id] ?? null;
    room.subscribe(all ? atLeast({ '*': SMALLEST, ...sizes }, this.#watched) : this.#watched);
    this.fit();
  }

  /** Sets the size of our video to the largest size that any participant requests or that our recording needs. */
  fit() {
    const sizes = [this.#ownSize, this.#room?.requestedSize() ?? null].filter((size) => size !== null);
    const size = sizes.toSorted((a, b) => pixels(b) - pixels(a))[0];
    const { media } = this.#devices;
    if (!size || !media) return;
    media.fit(size);
    void this.#room?.refit();
  }
}

/** Pixels per second. @param {VideoSize} size */
const pixels = (size) => size.width * size.height * size.frameRate;

/**
 * Returns the video size that a recording needs from each participant, or the size of their tile on the page if that is
 * larger.
 *
 * @param {Record<string, VideoSize>} needed
 * @param {Subscriptions} watched
 * @returns {Subscriptions}
 */
function atLeast(needed, watched) {
  const sizes = { ...needed };
  for (const [id, size] of Object.entries(needed)) {
    const shown = watched?.[id] ?? watched?.['*'];
    if (shown && pixels(shown) > pixels(size)) sizes[id] = shown;
  }
  return sizes;
}
