/** Subscriber: whom we receive and how large, and how large our own video has to be. */

/** What a recording needs. @typedef {{plan: RecordPlan, speaker: string | null}} Needs */

/** Audio alone needs a subscription as well; the smallest video costs least. */
const SMALLEST = { width: 160, height: 90, frameRate: 15 };

export class Subscriber {
  /** What the page shows to people. @type {Subscriptions} */
  #watched = null;
  /** The size at which our own recording shows us. @type {VideoSize | null} */
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

  /** Remembers what the page shows; it is received with the next update. @param {Subscriptions} subscriptions */
  watch(subscriptions) {
    this.#watched = subscriptions;
  }

  /** Subscribes to what the newest recording needs, at the size of its tiles, and to what the page shows. @param {Needs | null} needs */
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

  /** Makes our video as large as the largest size at which somebody shows it, and no larger. */
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

/** Returns the sizes that a recording needs, none of them smaller than what the page shows. @param {Record<string, VideoSize>} needed @param {Subscriptions} watched @returns {Subscriptions} */
function atLeast(needed, watched) {
  const sizes = { ...needed };
  for (const [id, size] of Object.entries(needed)) {
    const shown = watched?.[id] ?? watched?.['*'];
    if (shown && pixels(shown) > pixels(size)) sizes[id] = shown;
  }
  return sizes;
}
