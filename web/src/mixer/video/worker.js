/**
 * VideoMixer: at each tick, copies the frames that are due into the participants' tiles, and writes one I420 frame.
 *
 * Input: messages from ../mixer.js (ToVideoWorker), with one stream of frames per participant. Output: frames for the
 * generator in ../mixer.js, and messages about ticks, tiles and alarms (FromVideoWorker). This module runs in a worker.
 */

import { pageNow } from '../../shared/clock.js';
import { keepCollecting } from '../../shared/memory.js';
import { fill, imageBytes } from '../../shared/i420.js';
import { Ticker } from '../../shared/ticker.js';
import { Watchdog } from '../../shared/watchdog.js';
import { Cadence } from './cadence.js';
import { drawPlaceholder, drawLabel } from './placeholders.js';
import { arrange, contain } from './layout.js';
import { MediaClock } from './media-clock.js';
import { Arena, FrameReader, place } from './planes.js';

/** @typedef {import('../../shared/i420.js').I420Image} I420Image */

const BACKGROUND = /** @type {const} */ ([24, 130, 126]);
/** How long a participant's frames may be missing before the placeholder replaces the video, in ms. */
const STALE = 2000;
/** How often the written ticks are reported, in ms. */
const REPORT_EVERY = 500;
/** Number of images for which memory is reserved: enough for the queues, and a few spare images. */
const IMAGES = 48;

/** One participant's frames, queue and tile. */
class Source {
  /** @type {I420Image | null} */
  shown = null;
  /** @type {TileRect} */
  tile = { x: 0, y: 0, width: 0, height: 0 };
  /** @type {ReadableStreamDefaultReader<VideoFrame> | null} */
  reader = null;
  /** Whether the camera is on, as announced in the room. */
  cameraOn = true;
  /** Whether the tile shows video instead of the placeholder. */
  live = false;
  /** Whether it is normal for the video to be static. */
  rests = false;
  lastFrame = 0;
  watchdog = new Watchdog();
  delay = 0;
  /** @type {I420Image | null} */
  label = null;

  /** @param {string} id @param {string} name @param {boolean} remote @param {number} step */
  constructor(id, name, remote, step) {
    this.id = id;
    this.name = name;
    this.remote = remote;
    /** @type {Cadence<I420Image>} */
    this.cadence = new Cadence(step, remote);
    this.clock = new MediaClock();
  }
}

class VideoMixer {
  /** @type {Map<string, Source>} */
  #sources = new Map();
  #arena;
  #frames;
  #composite;
  #writer;
  #ticker;
  #step;
  #relayout = true;
  /** The participant in the large tile. @type {string | null} */
  #speaker = null;
  #layout;
  #names;
  /** Whether the main thread is waiting for the next tick. */
  #tickRequested = false;
  #first = 0;
  /** @type {(number | null)[]} */
  #written = [];

  /** @param {Extract<ToVideoWorker, { type: 'start' }>} options */
  constructor({ writable, layout, names, ...size }) {
    this.#layout = layout;
    this.#names = names;
    const largest = imageBytes(Math.max(size.width, 1280), Math.max(size.height, 720));
    this.#arena = new Arena(IMAGES * largest);
    this.#frames = new FrameReader(this.#arena);
    this.#composite = /** @type {I420Image} */ (this.#arena.allocate(size.width, size.height));
    this.#writer = writable.getWriter();
    this.#step = 1000 / size.frameRate;
    this.#ticker = new Ticker(this.#step, (tick, due) => this.#tick(tick, due));
  }

  run() {
    return this.#ticker.run();
  }

  /** @param {string} id @param {string} name @param {boolean} remote */
  add(id, name, remote) {
    this.#sources.set(id, new Source(id, name, remote, this.#step));
    this.#relayout = true;
  }

  /** @param {string} id @param {string} name */
  rename(id, name) {
    const source = this.#sources.get(id);
    if (source) source.name = name;
    this.#relayout = true;
  }

  /** Sets whether it is normal for the participant's video to be static. @param {string} id @param {boolean} on */
  rest(id, on) {
    const source = this.#sources.get(id);
    if (source) source.rests = on;
  }

  /**
   * Starts reading the participant's frames from this stream.
   *
   * @param {string} id
   * @param {ReadableStream<VideoFrame> | null} readable
   * @param {VideoFrame | null} first a frame that is shown until the first frame of the stream arrives
   */
  setReadable(id, readable, first) {
    const source = this.#sources.get(id);
    if (!source) {
      first?.close();
      return;
    }
    source.reader?.cancel().catch(() => undefined);
    source.reader = readable?.getReader() ?? null;
    for (const image of source.cadence.clear()) this.#arena.free(image);
    source.cadence = new Cadence(this.#step, source.remote);
    source.clock = new MediaClock();
    if (source.reader) void this.#readFrames(source, source.reader, first);
  }

  /** @param {string} id */
  remove(id) {
    const source = this.#sources.get(id);
    if (!source) return;
    this.#sources.delete(id);
    source.reader?.cancel().catch(() => undefined);
    for (const image of [...source.cadence.clear(), source.shown, source.label]) {
      if (image) this.#arena.free(image);
    }
    if (source.live) post({ type: 'video', time: pageNow(), id, on: false });
    this.#relayout = true;
  }

  /** Sets whether the participant's camera is on. @param {string} id @param {boolean} on */
  show(id, on) {
    const source = this.#sources.get(id);
    if (!source) return;
    source.cameraOn = on;
    // A camera that is turned off while its video is shown is reported with the next frame.
    if (!on && !source.live) post({ type: 'video', time: pageNow(), id, on });
  }

  /** @param {string | null} id */
  setSpeaker(id) {
    this.#speaker = id;
    if (this.#layout === 'speaker') this.#relayout = true;
  }

  /** Requests a message, which is posted as soon as the next tick has been written. */
  reportNextTick() {
    this.#tickRequested = true;
  }

  flush() {
    if (this.#written.length > 0) post({ type: 'ticks', first: this.#first, written: this.#written });
    this.#first += this.#written.length;
    this.#written = [];
  }

  stop() {
    this.#ticker.stop();
    for (const id of [...this.#sources.keys()]) this.remove(id);
    this.#writer.close().catch(() => undefined);
  }

  /** @param {Source} source @param {ReadableStreamDefaultReader<VideoFrame>} reader @param {VideoFrame | null} first */
  async #readFrames(source, reader, first) {
    // Chrome fact 19: open frames stall their track, so each frame is copied and closed at once.
    for (let waiting = first; ; waiting = null) {
      const frame = waiting ?? (await reader.read()).value;
      if (!frame) return;
      const now = pageNow();
      try {
        const image = await this.#frames.read(frame);
        if (source.reader !== reader || this.#sources.get(source.id) !== source) {
          if (image) this.#arena.free(image);
          return;
        }
        if (!image) continue;
        source.lastFrame = now;
        source.watchdog.feed();
        const dropped = source.cadence.push(image, source.clock.read(frame), now);
        if (dropped) this.#arena.free(dropped);
      } finally {
        frame.close();
      }
    }
  }

  /** @param {number} tick @param {number} due */
  #tick(tick, due) {
    if (this.#relayout) this.#arrangeTiles(due);
    for (const source of this.#sources.values()) this.#updateSource(source, due);
    const { memory } = this.#arena;
    const { width, height, layout } = this.#wholeFrame() ?? this.#composite;
    const frame = new VideoFrame(memory, {
      format: 'I420',
      codedWidth: width,
      codedHeight: height,
      timestamp: Math.round(tick * this.#step * 1000),
      layout,
    });
    // Skipped ticks are logged as null, since their frames will be missing from the file.
    while (this.#first + this.#written.length < tick) this.#written.push(null);
    this.#written.push(pageNow());
    this.#writer.write(frame).catch(() => frame.close());
    if (this.#tickRequested) post({ type: 'ticked' });
    this.#tickRequested = false;
    if (this.#written.length * this.#step >= REPORT_EVERY) this.flush();
  }

  /**
   * Assigns a tile to each participant and redraws it: the participant's last frame, or a placeholder if there is no
   * live video.
   *
   * @param {number} due
   */
  #arrangeTiles(due) {
    this.#relayout = false;
    const { width, height } = this.#composite;
    const { memory } = this.#arena;
    fill(memory, this.#composite, { x: 0, y: 0, width, height }, BACKGROUND);
    const tiles = arrange(this.#layout, [...this.#sources.keys()], this.#speaker, { width, height });
    for (const source of this.#sources.values()) {
      source.tile = /** @type {TileRect} */ (tiles.get(source.id));
      if (source.label) this.#arena.free(source.label);
      source.label = this.#names ? drawLabel(this.#arena, source.name, source.tile) : null;
      if (source.live && source.shown) this.#drawImage(source, source.shown);
      else drawPlaceholder(this.#arena, this.#composite, source.name, source.tile);
    }
    const shown = [...this.#sources.values()].map(({ id, tile }) => ({ id, ...tile }));
    post({ type: 'layout', time: due, tiles: shown });
  }

  /**
   * Draws the frame that is due, or the placeholder if the video has ended.
   *
   * @param {Source} source
   * @param {number} due
   */
  #updateSource(source, due) {
    const next = source.cadence.tick(due);
    if (next) {
      for (const image of next.skipped) this.#arena.free(image);
      const changed = !source.shown || !sameSize(source.shown, next.item);
      if (source.shown) this.#arena.free(source.shown);
      source.shown = next.item;
      if (source.cameraOn) {
        if (changed || !source.live) fill(this.#arena.memory, this.#composite, source.tile, BACKGROUND);
        if (!source.live) post({ type: 'video', time: due, id: source.id, on: true });
        source.live = true;
        if (!this.#wholeFrame()) this.#drawImage(source, next.item);
      }
    }
    if (source.live && source.cameraOn && !source.rests && source.watchdog.isStalled()) {
      post({ type: 'alarm', time: due, id: source.id, message: 'No video is arriving from' });
    }
    if (source.live && (!source.cameraOn || (!source.rests && pageNow() - source.lastFrame > STALE))) {
      source.live = false;
      drawPlaceholder(this.#arena, this.#composite, source.name, source.tile);
      post({ type: 'video', time: due, id: source.id, on: false });
    }
    const { delay } = source.cadence;
    if (Math.abs(delay - source.delay) > 5) {
      source.delay = delay;
      post({ type: 'delay', id: source.id, delay });
    }
  }

  /**
   * Returns the only participant's image if it can be written unchanged as the whole frame, otherwise null. An image
   * can be written unchanged if there is a single participant, and if the image has the recording's size and no label.
   */
  #wholeFrame() {
    const [only] = this.#sources.values();
    const shown = only?.live && !only.label ? only.shown : null;
    return this.#sources.size === 1 && shown && sameSize(shown, this.#composite) ? shown : null;
  }

  /** @param {Source} source @param {I420Image} image */
  #drawImage({ tile, label }, image) {
    const { memory } = this.#arena;
    place(memory, image, this.#composite, contain(image, tile));
    if (label) {
      const y = tile.y + tile.height - label.height;
      place(memory, label, this.#composite, { x: tile.x, y, width: label.width, height: label.height });
    }
  }
}

/** @param {I420Image} a @param {I420Image} b */
const sameSize = (a, b) => a.width === b.width && a.height === b.height;

/** @param {FromVideoWorker} message */
const post = (message) => self.postMessage(message);

/** @type {VideoMixer | undefined} */
let mixer;

keepCollecting();

self.addEventListener('message', (/** @type {MessageEvent<ToVideoWorker>} */ { data: message }) => {
  switch (message.type) {
    case 'start':
      mixer = new VideoMixer(message);
      mixer.run().catch((/** @type {unknown} */ error) => post({ type: 'failed', message: String(error) }));
      break;
    case 'add':
      mixer?.add(message.id, message.name, message.remote);
      break;
    case 'rename':
      mixer?.rename(message.id, message.name);
      break;
    case 'rest':
      mixer?.rest(message.id, message.on);
      break;
    case 'source':
      mixer?.setReadable(message.id, message.readable, message.first);
      break;
    case 'remove':
      mixer?.remove(message.id);
      break;
    case 'show':
      mixer?.show(message.id, message.on);
      break;
    case 'speaker':
      mixer?.setSpeaker(message.id);
      break;
    case 'nextTick':
      mixer?.reportNextTick();
      break;
    case 'flush':
      mixer?.flush();
      post({ type: 'flushed' });
      break;
    case 'stop':
      mixer?.stop();
      break;
    default:
  }
});
