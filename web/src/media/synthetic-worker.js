/**
 * Sends a synthetic participant's frames. For each size, this worker draws the backdrop with the participant's name on a
 * canvas; `frame-painter.js` paints the rest of each frame. `harness/verification/markers/backdrop.py` describes the same
 * frames.
 */

import { pageNow } from '../shared/clock.js';
import { keepCollecting } from '../shared/memory.js';
import { COUNTER_PERIOD, COUNTS_PER_SECOND } from '../shared/marker.js';
import { MODULES, QUIET, symbolSquare } from '../shared/symbol.js';
import { Ticker } from '../shared/ticker.js';
import { FACE, FACE_LEFT, FACE_RIGHT, FACE_TOP, FramePainter, STRIP } from './frame-painter.js';

/**
 * The symbol is on a white card with a border. For both, this is the share of the video's height by which they are larger
 * than the symbol on each side, and the radius of their corners. No corner reaches into the symbol's quiet zone.
 */
const BORDER = { margin: 0.0125, radius: 0.04 };
const CARD = { margin: 0.008, radius: 0.026 };
/** In this gray, the card has the same luma as the symbol's white modules. */
const CARD_COLOR = 'rgb(243 243 243)';
/** The middle of the name's line, and the size of its letters, as shares of the video's height. */
const NAME_MIDDLE = 0.62;
const NAME_SIZE = 0.095;
/** On a shared screen, the lines of text next to the symbol are at least this long, or left out. */
const LEAST_LINE = 0.08;
/** A frame is late if it is painted this many ms after its capture time. */
const LATE = 1000 / COUNTS_PER_SECOND;
/**
 * How long late frames are collected before they are reported, in ms, and how many of them are reported at once. The number
 * must equal MOST_COUNTERS in harness/recording/timeline.py.
 */
const REPORT_AFTER = 500;
const MOST_COUNTERS = 128;

class Camera {
  /** @type {FramePainter | undefined} */
  #painter;
  frameRate = COUNTS_PER_SECOND;

  /** @param {Extract<SyntheticMessage, { type: 'start' }>} options */
  constructor({ name, marker, writable, clockOffset, screen, size }) {
    this.name = name;
    this.marker = marker;
    this.screen = screen;
    this.clockOffset = clockOffset;
    this.writer = writable.getWriter();
    this.fit(size);
  }

  /** Sets the size and rate of all frames from now on. @param {VideoSize} size */
  fit({ width, height, frameRate }) {
    this.frameRate = frameRate;
    if (width === this.#painter?.image.width && height === this.#painter.image.height) return;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!context) throw new Error('This browser does not support 2D canvas.');
    drawBackdrop(context, this.name, this.marker, this.screen);
    this.#painter = new FramePainter(this.marker, this.screen, context.getImageData(0, 0, width, height));
  }

  /** Sends the frame with this counter. @param {number} counter @param {number} due page time, ms */
  send(counter, due) {
    if (!this.#painter) return;
    this.#painter.paint(counter, due + this.clockOffset);
    const { memory, image } = this.#painter;
    const frame = new VideoFrame(memory, {
      format: 'I420',
      codedWidth: image.width,
      codedHeight: image.height,
      timestamp: Math.round(due * 1000),
      layout: image.layout,
    });
    // A generator rejects frames after its track has ended. This is not an error.
    this.writer.write(frame).catch(() => frame.close());
  }
}

/**
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {string} name
 * @param {number} marker
 * @param {boolean} screen
 */
function drawBackdrop(context, name, marker, screen) {
  const { width, height } = context.canvas;
  const hue = (205 + marker * 137.5) % 360;
  const symbol = symbolSquare(width / height);
  if (screen) drawDesktop(context, hue, symbol);
  else drawGradient(context, hue);
  // The strip and the card are gray, since the markers are encoded only in luma.
  context.fillStyle = 'black';
  context.fillRect(0, 0, width, Math.ceil(height * STRIP));
  drawCard(context, symbol, screen ? lineColor(hue) : CARD_COLOR);
  context.fillStyle = screen ? `hsl(${hue} 45% 25%)` : 'rgb(255 255 255 / 92%)';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.font = `600 ${Math.round(height * NAME_SIZE)}px system-ui, sans-serif`;
  context.fillText(screen ? `${name} – screen` : name, width / 2, height * NAME_MIDDLE, width * 0.85);
  // The floor on which the face bounces.
  context.fillStyle = screen ? lineColor(hue) : 'rgb(255 255 255 / 30%)';
  const [left, top] = [width * FACE_LEFT, height * (FACE_TOP + FACE)];
  context.fillRect(left, top, width * (FACE_RIGHT - FACE_LEFT), Math.max(2, height / 180));
}

/**
 * Draws two colors that are far apart, so that `verify` notices even if the two chroma planes are swapped.
 *
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {number} hue
 */
function drawGradient(context, hue) {
  const { width, height } = context.canvas;
  const light = context.createLinearGradient(0, 0, width, height);
  light.addColorStop(0, `hsl(${hue} 45% 34%)`);
  light.addColorStop(1, `hsl(${(hue + 100) % 360} 50% 18%)`);
  context.fillStyle = light;
  context.fillRect(0, 0, width, height);
}

/**
 * Draws the card for the symbol, with its border.
 *
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} symbol
 * @param {string} border
 */
function drawCard(context, symbol, border) {
  const { width, height } = context.canvas;
  const [x, y] = [symbol.x * width, symbol.y * height];
  const [wide, high] = [symbol.width * width, symbol.height * height];
  for (const [{ margin, radius }, color] of /** @type {const} */ ([
    [BORDER, border],
    [CARD, CARD_COLOR],
  ])) {
    const more = (high * QUIET) / MODULES + margin * height;
    context.fillStyle = color;
    context.beginPath();
    context.roundRect(x - more, y - more, wide + 2 * more, high + 2 * more, radius * height);
    context.fill();
  }
}

/**
 * Draws a window with lines of text on both sides of the symbol and below the name, as on a shared screen.
 *
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {number} hue
 * @param {{x: number, width: number}} symbol
 */
function drawDesktop(context, hue, symbol) {
  const { width, height } = context.canvas;
  context.fillStyle = `hsl(${hue} 35% 78%)`;
  context.fillRect(0, 0, width, height);
  context.fillStyle = 'hsl(0 0% 97%)';
  context.fillRect(width * 0.06, height * 0.128, width * 0.88, height * 0.792);
  context.fillStyle = lineColor(hue);
  const room = symbol.x - (symbol.width * QUIET) / MODULES - 0.14;
  for (let line = 0; line < 6; line += 1) {
    const wide = room * (1 - 0.4 * Math.abs(Math.sin(line * 2.4)));
    if (room < LEAST_LINE) break;
    context.fillRect(width * 0.1, height * (0.2 + line * 0.06), width * wide, height * 0.02);
    context.fillRect(width * (0.9 - room), height * (0.2 + line * 0.06), width * wide, height * 0.02);
  }
  for (let line = 0; line < 3; line += 1) {
    const wide = 0.5 + 0.3 * Math.abs(Math.sin(line * 2.4));
    context.fillRect(width * 0.1, height * (0.7 + line * 0.06), width * wide, height * 0.02);
  }
}

/** Returns the color of the lines on a shared screen. @param {number} hue */
const lineColor = (hue) => `hsl(${hue} 20% 82%)`;

/** Finds frames that were painted late, or not at all, because the machine was too busy. */
class LateFrameFinder {
  /** @type {number[]} */
  #counters = [];
  #since = 0;
  /** The last tick, or -1 before the first one. */
  #last = -1;
  #isFrame;

  /** @param {(counter: number) => boolean} isFrame returns whether a frame is due at this tick */
  constructor(isFrame) {
    this.#isFrame = isFrame;
  }

  /** Checks a tick that has just been processed. @param {number} tick @param {number} due page time, ms */
  check(tick, due) {
    const now = pageNow();
    const lastLate = now - due > LATE ? tick : tick - 1;
    for (let late = this.#last < 0 ? tick : this.#last + 1; late <= lastLate; late += 1) {
      if (!this.#isFrame(late)) continue;
      if (this.#counters.length === 0) this.#since = now;
      this.#counters.push(late % COUNTER_PERIOD);
    }
    this.#last = tick;
    if (this.#counters.length === 0 || now - this.#since < REPORT_AFTER) return;
    post({ type: 'late', counters: this.#counters.splice(0).slice(-MOST_COUNTERS) });
  }
}

/** @param {FromSyntheticWorker} message */
const post = (message) => self.postMessage(message);

/** @type {Camera | undefined} */
let camera;

keepCollecting();

self.addEventListener('message', (/** @type {MessageEvent<SyntheticMessage>} */ { data: message }) => {
  if (message.type === 'start') {
    const started = new Camera(message);
    camera = started;
    const step = 1000 / COUNTS_PER_SECOND;
    let painted = false;
    // Of the 30 ticks per second, skip as many as the frame rate requires.
    const isFrame = (/** @type {number} */ tick) =>
      (tick * started.frameRate) % COUNTS_PER_SECOND < started.frameRate;
    const late = new LateFrameFinder(isFrame);
    const ticker = new Ticker(step, (tick, due) => {
      if (isFrame(tick)) {
        started.send(tick, due);
        if (!painted) post({ type: 'painted' });
        painted = true;
      }
      late.check(tick, due);
    });
    // Every worker counts from the same origin, so that the counter continues when a new video replaces the old one.
    void ticker.run(message.origin);
  } else if (camera && message.type === 'fit') {
    camera.fit(message);
  } else if (camera && message.type === 'clock') {
    camera.clockOffset = message.clockOffset;
  }
});
