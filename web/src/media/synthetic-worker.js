/**
 * Paints a synthetic participant's frames. Each frame consists of a backdrop (which is drawn only once), the marker
 * strip and a moving ball. `harness/verification/markers/backdrop.py` describes the same frames.
 */

import { keepCollecting } from '../shared/memory.js';
import { GRAY, blit, fill, fromRgba, imageAt, imageBytes } from '../shared/i420.js';
import { BRIGHT, COLUMNS, COUNTER_PERIOD, COUNTS_PER_SECOND, DARK, ROWS, encode } from '../shared/marker.js';
import { Ticker } from '../shared/ticker.js';

/** How long the ball flashes after a chirp begins, in steps of the marker's counter. */
const FLASH = 4;
/** The ball's position repeats after this many steps of the counter. */
const SWING = 3 * COUNTS_PER_SECOND;
/** The bounces are shifted against the swing by this many steps, so that the ball does not return on the same path. */
const BOUNCE = 7;
/** The balls of two participants are this many steps apart for each difference of 1 between their markers. */
const PHASE = 61;

/** @typedef {import('../shared/i420.js').I420Image} I420Image */

class Painter {
  #memory = new Uint8Array(0);
  #backdrop = imageAt(0, 0);
  #image = imageAt(0, 0);
  #ball = { x: 0, y: 0, width: 0, height: 0 };
  #cells = new Uint8Array(ROWS * COLUMNS);
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
    this.resize(width, height);
  }

  /** Draws the backdrop again. @param {number} width @param {number} height */
  resize(width, height) {
    if (width === this.#image.width && height === this.#image.height) return;
    this.#memory = new Uint8Array(2 * imageBytes(width, height));
    this.#backdrop = imageAt(width, height);
    this.#image = imageAt(width, height, imageBytes(width, height));
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (!context) throw new Error('This browser does not support 2D canvas.');
    drawBackdrop(context, this.name, this.marker, this.screen);
    const { data } = context.getImageData(0, 0, width, height);
    fromRgba(data, width * 4, this.#memory, this.#backdrop);
    blit(this.#memory, this.#backdrop, this.#image, 0, 0);
  }

  /** @param {number} counter @param {number} due page time, ms */
  paint(counter, due) {
    encode(this.marker, counter, due + this.clockOffset, this.#cells);
    const { width, height } = this.#image;
    const cell = { width: width / COLUMNS, height: height / (9 * ROWS) };
    const [luma] = this.#image.layout;
    for (let row = 0; row < ROWS; row += 1) {
      const top = luma.offset + Math.round(row * cell.height) * width;
      for (let column = 0; column < COLUMNS; column += 1) {
        const value = this.#cells[row * COLUMNS + column] ? BRIGHT : DARK;
        this.#memory.fill(
          value,
          top + Math.round(column * cell.width),
          top + Math.round((column + 1) * cell.width),
        );
      }
      const bottom = luma.offset + Math.round((row + 1) * cell.height) * width;
      for (let line = top + width; line < bottom; line += width)
        this.#memory.copyWithin(line, top, top + width);
    }
    this.#moveBall(counter);
    const frame = new VideoFrame(this.#memory, {
      format: 'I420',
      codedWidth: width,
      codedHeight: height,
      timestamp: Math.round(due * 1000),
      layout: this.#image.layout,
    });
    // A generator rejects frames while nothing reads its track. This is not an error.
    this.writer.write(frame).catch(() => frame.close());
  }

  /** Draws the backdrop over the ball's old position, and the ball at its new position. @param {number} counter */
  #moveBall(counter) {
    const { width, height } = this.#image;
    blit(this.#memory, this.#backdrop, this.#image, this.#ball.x, this.#ball.y, this.#ball);
    const size = even(height / 9);
    // `verify` computes the ball's position from the strip (harness/verification/markers/backdrop.py).
    const phase = (counter % COUNTER_PERIOD) + PHASE * this.marker;
    const swing = 0.5 - 0.5 * Math.cos((2 * Math.PI * phase) / SWING);
    const bounce = Math.abs(Math.sin((Math.PI * (phase + BOUNCE)) / COUNTS_PER_SECOND));
    this.#ball = {
      x: even(width * 0.08 + swing * (width * 0.84 - size)),
      y: even(height * 0.72 - bounce * height * 0.12),
      width: size,
      height: size,
    };
    const usual = this.screen ? 90 : 170;
    const luma = counter % COUNTS_PER_SECOND < FLASH ? 235 : usual;
    for (let y = 0; y < size; y += 2) {
      const half = Math.sqrt(Math.max(0, (size / 2) ** 2 - (y + 1 - size / 2) ** 2));
      const x = even(size / 2 - half);
      const line = { x: this.#ball.x + x, y: this.#ball.y + y, width: size - 2 * x, height: 2 };
      if (line.width > 0) fill(this.#memory, this.#image, line, [luma, GRAY, GRAY]);
    }
  }
}

/** @param {number} value */
const even = (value) => 2 * Math.round(value / 2);

/**
 * @param {OffscreenCanvasRenderingContext2D} context
 * @param {string} name
 * @param {number} marker
 * @param {boolean} screen
 */
function drawBackdrop(context, name, marker, screen) {
  const { width, height } = context.canvas;
  const hue = (205 + marker * 137.5) % 360;
  if (screen) drawDesktop(context, hue);
  else drawGradient(context, hue);
  // The strip is gray, since the marker is encoded only in luma.
  context.fillStyle = 'black';
  context.fillRect(0, 0, width, Math.ceil(height / 9));
  context.fillStyle = screen ? `hsl(${hue} 45% 25%)` : 'rgb(255 255 255 / 92%)';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.font = `600 ${Math.round(height / 6)}px system-ui, sans-serif`;
  context.fillText(screen ? `${name} – screen` : name, width / 2, height * 0.38, width * 0.85);
  context.fillStyle = 'rgb(255 255 255 / 30%)';
  context.fillRect(width * 0.08, height * 0.72 + height / 9, width * 0.84, Math.max(2, height / 180));
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

/** Draws a window with lines of text, as on a shared screen. @param {OffscreenCanvasRenderingContext2D} context @param {number} hue */
function drawDesktop(context, hue) {
  const { width, height } = context.canvas;
  context.fillStyle = `hsl(${hue} 35% 78%)`;
  context.fillRect(0, 0, width, height);
  context.fillStyle = 'hsl(0 0% 97%)';
  context.fillRect(width * 0.06, height * 0.17, width * 0.88, height * 0.75);
  context.fillStyle = `hsl(${hue} 20% 82%)`;
  for (let line = 0; line < 6; line += 1) {
    const wide = 0.5 + 0.3 * Math.abs(Math.sin(line * 2.4));
    context.fillRect(width * 0.1, height * (0.53 + line * 0.06), width * wide, height * 0.02);
  }
}

/** @type {Painter | undefined} */
let painter;

keepCollecting();

self.addEventListener('message', (/** @type {MessageEvent<SyntheticMessage>} */ { data: message }) => {
  if (message.type === 'start') {
    const made = new Painter(message);
    painter = made;
    const step = 1000 / COUNTS_PER_SECOND;
    let painted = false;
    const ticker = new Ticker(step, (tick, due) => {
      // Of the 30 ticks per second, skip as many as the frame rate requires.
      if ((tick * made.frameRate) % COUNTS_PER_SECOND >= made.frameRate) return;
      made.paint(tick, due);
      if (!painted) self.postMessage('painted');
      painted = true;
    });
    // Every worker counts from the same origin, so that the counter continues when a new video replaces the old one.
    void ticker.run(message.origin);
  } else if (painter && message.type === 'fit') {
    painter.fit(message);
  } else if (painter && message.type === 'clock') {
    painter.clockOffset = message.clockOffset;
  }
});
