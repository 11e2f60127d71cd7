/** Reads markers from tracks: the strip in video frames, and the tone in audio. */

import { readLuma } from '../shared/i420.js';
import { COLUMNS, ROWS, VOICES, decode, toneOf } from '../shared/marker.js';

/** The luma threshold between dark and bright cells. */
const MIDDLE = 128;
/** Duration of the analyzed audio windows in seconds; a Hann window of this length separates tones 50 Hz apart. */
const WINDOW = 0.08;
/**
 * A tone counts only if it is more than ABOVE_NOISE times as loud as the surrounding noise, and more than ABOVE_OTHERS
 * times as loud as every other tone.
 */
const ABOVE_NOISE = 4;
const ABOVE_OTHERS = 3;
/** Amplitude of the faintest tone that counts; 1 is full scale. */
const FAINTEST = 0.003;
/** A tone must be found in all but one of this many successive windows. */
const WINDOWS = 8;

/**
 * Returns the marker number in a frame, or null if the frame has no intact marker.
 *
 * @param {VideoFrame} frame remains open
 * @returns {Promise<number | null>}
 */
export async function readFrame(frame) {
  // Our synthetic video always has a luma plane.
  const luma = await readLuma(frame);
  if (!luma) return null;
  const { width, height } = luma;
  const cell = { width: width / COLUMNS, height: height / (9 * ROWS) };
  const cells = new Uint8Array(ROWS * COLUMNS);
  for (let row = 0; row < ROWS; row += 1) {
    for (let column = 0; column < COLUMNS; column += 1) {
      const from = { x: (column + 0.25) * cell.width, y: (row + 0.25) * cell.height };
      const value = mean(luma.data.subarray(luma.offset), luma.stride, from, cell);
      cells[row * COLUMNS + column] = value > MIDDLE ? 1 : 0;
    }
  }
  return decode(cells);
}

/**
 * Returns the mean luma in the middle of a cell. Only the middle half of the cell's width and height is measured, since
 * the cell's edges may be blurred.
 *
 * @param {Uint8Array} luma
 * @param {number} stride
 * @param {{x: number, y: number}} from
 * @param {{width: number, height: number}} cell
 */
function mean(luma, stride, from, cell) {
  const [left, top] = [Math.floor(from.x), Math.floor(from.y)];
  const [right, bottom] = [Math.ceil(from.x + cell.width / 2), Math.ceil(from.y + cell.height / 2)];
  let sum = 0;
  for (let y = top; y < bottom; y += 1)
    for (let x = left; x < right; x += 1) sum += luma[y * stride + x] ?? 0;
  return sum / ((right - left) * (bottom - top));
}

/** Finds the tone of one synthetic participant in audio. */
export class ToneDetector {
  /** @type {Float32Array<ArrayBuffer>} */
  #samples = new Float32Array(0);
  #filled = 0;
  #sampleRate = 0;
  /** The voice in each of the latest windows; null for a window without a clear tone. @type {(number | null)[]} */
  #found = [];
  /** Whether any audio other than silence has been analyzed. */
  hasSound = false;

  /** Analyzes audio. @param {AudioData} audio remains open */
  push(audio) {
    if (audio.sampleRate !== this.#sampleRate) {
      this.#sampleRate = audio.sampleRate;
      this.#samples = new Float32Array(Math.round(WINDOW * audio.sampleRate));
      this.#filled = 0;
    }
    const samples = new Float32Array(audio.numberOfFrames);
    audio.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
    for (let at = 0; at < samples.length;) {
      const part = samples.subarray(at, at + this.#samples.length - this.#filled);
      this.#samples.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < this.#samples.length) continue;
      this.#found.push(this.#analyze());
      if (this.#found.length > WINDOWS) this.#found.shift();
      this.#filled = 0;
    }
  }

  /** The voice whose tone is audible in almost all of the latest windows, or null. A voice is a marker modulo 16. */
  get voice() {
    const [voice = null] = this.#found.filter((one) => one !== null);
    const count = this.#found.filter((one) => one === voice).length;
    return voice !== null && count >= WINDOWS - 1 ? voice : null;
  }

  /** Returns the only clear tone in the window, or null. */
  #analyze() {
    this.hasSound ||= this.#samples.some((sample) => sample !== 0);
    const tones = Array.from({ length: VOICES }, (_, voice) => this.#amplitude(toneOf(voice)));
    const loudest = Math.max(...tones);
    const voice = tones.indexOf(loudest);
    const others = Math.max(...tones.filter((_, index) => index !== voice));
    const tone = toneOf(voice);
    const noise = [-75, -25, 25, 75].reduce((sum, away) => sum + this.#amplitude(tone + away), 0) / 4;
    const clear = loudest > FAINTEST && loudest > ABOVE_NOISE * noise && loudest > ABOVE_OTHERS * others;
    return clear ? voice : null;
  }

  /**
   * Returns the amplitude of a frequency in the window, using the Goertzel algorithm.
   *
   * @param {number} frequency in Hz
   */
  #amplitude(frequency) {
    const samples = this.#samples;
    const step = (2 * Math.PI * frequency) / this.#sampleRate;
    const factor = 2 * Math.cos(step);
    let [before, now] = [0, 0];
    for (let index = 0; index < samples.length; index += 1) {
      const fade = 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / samples.length);
      [before, now] = [now, (samples[index] ?? 0) * fade + factor * now - before];
    }
    const power = now * now + before * before - factor * now * before;
    return (Math.sqrt(Math.max(0, power)) * 4) / samples.length;
  }
}
