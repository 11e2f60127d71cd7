/**
 * Scales a video's frames to the size and frame rate that an application requested from its camera. Frames with a
 * different aspect ratio are cropped, just as Chrome crops a real camera's frames.
 */

import { keepCollecting } from '../shared/memory.js';

/** A frame that is this many microseconds early still counts as due. */
const EARLY = 5000;

class FrameScaler {
  #canvas = new OffscreenCanvas(2, 2);
  /** The time at which the next frame is due, in microseconds. */
  #due = -Infinity;

  /** @param {VideoSize} size */
  constructor(size) {
    this.size = size;
  }

  /** Returns the scaled frame, or null if the frame is not needed. @param {VideoFrame} frame */
  scale(frame) {
    const { width, height, frameRate } = this.size;
    const { displayWidth, displayHeight, timestamp } = frame;
    const step = 1_000_000 / frameRate;
    const early = this.#due - timestamp;
    // The timestamps of a video file jump back when playback loops, so a frame that seems to be early by more than one
    // step is not skipped.
    if (early > EARLY && early <= step) return null;
    this.#due = step + (Math.abs(early) <= step ? this.#due : timestamp);
    if (displayWidth === width && displayHeight === height) return frame.clone();
    const scale = Math.max(width / displayWidth, height / displayHeight);
    const [wide, high] = [displayWidth * scale, displayHeight * scale];
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
    const context = this.#canvas.getContext('2d');
    context?.drawImage(frame, (width - wide) / 2, (height - high) / 2, wide, high);
    return new VideoFrame(this.#canvas, { timestamp });
  }
}

/**
 * Scales all frames until either end of the pipeline closes. Posts a message after the first frame.
 *
 * @param {Extract<FrameScalerMessage, { type: 'start' }>} message
 */
function start({ readable, writable, size }) {
  const scaler = new FrameScaler(size);
  let started = false;
  const scaling = new TransformStream({
    /** @param {VideoFrame} frame @param {TransformStreamDefaultController<VideoFrame>} controller */
    transform(frame, controller) {
      const scaled = scaler.scale(frame);
      frame.close();
      if (scaled) controller.enqueue(scaled);
      if (!started) self.postMessage('started');
      started = true;
    },
  });
  // A stopped track closes the pipeline.
  readable
    .pipeThrough(scaling)
    .pipeTo(writable)
    .catch(() => undefined);
  return scaler;
}

/** @type {FrameScaler | undefined} */
let scaler;

keepCollecting();

self.addEventListener('message', (/** @type {MessageEvent<FrameScalerMessage>} */ { data: message }) => {
  if (message.type === 'start') scaler = start(message);
  else if (scaler) scaler.size = message.size;
});
