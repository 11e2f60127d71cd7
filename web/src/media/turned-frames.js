/** TurnedFrames: turns the frames of a video file upright, before they are sent. */

import { imageAt, isUpright, orientationOf, turn, turnedSize } from '../shared/i420.js';

/**
 * Phones store videos as the sensor delivers them, together with a rotation. The frames must be turned before they are
 * sent: WebRTC drops the flip, and if a connection does not support the rotation, Chrome sends no frames at all (Chrome
 * fact 51).
 */
export class TurnedFrames {
  #source = new Uint8Array(0);
  #target = new Uint8Array(0);
  /** @type {OffscreenCanvasRenderingContext2D | null} */
  #context = null;

  /**
   * Turns one frame; wait for the returned promise to settle before the next call.
   *
   * @param {VideoFrame} frame the frame to turn; this method closes it
   */
  async turn(frame) {
    try {
      return await (frame.format === 'I420' ? this.#turnPlanes(frame) : this.#draw(frame));
    } finally {
      frame.close();
    }
  }

  /** @param {VideoFrame} frame */
  async #turnPlanes(frame) {
    const { visibleRect, displayWidth, displayHeight, timestamp, colorSpace } = frame;
    const orientation = orientationOf(frame);
    const { width, height } = /** @type {DOMRectReadOnly} */ (visibleRect);
    const from = imageAt(width, height);
    const size = turnedSize(from, orientation);
    const to = imageAt(size.width, size.height);
    if (this.#source.length < from.bytes) this.#source = new Uint8Array(from.bytes);
    if (this.#target.length < to.bytes) this.#target = new Uint8Array(to.bytes);
    await frame.copyTo(this.#source, { layout: from.layout });
    turn(this.#source, from, this.#target, to, orientation);
    return new VideoFrame(this.#target, {
      format: 'I420',
      codedWidth: to.width,
      codedHeight: to.height,
      displayWidth,
      displayHeight,
      timestamp,
      colorSpace,
      layout: to.layout,
    });
  }

  /**
   * Turns a frame whose format is not I420, for example with 10 bits per sample. Drawing takes several times as long as
   * turning the planes.
   *
   * @param {VideoFrame} frame
   */
  #draw(frame) {
    const { displayWidth: width, displayHeight: height, timestamp } = frame;
    if (this.#context?.canvas.width !== width || this.#context.canvas.height !== height) {
      this.#context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    }
    if (!this.#context) throw new DOMException('Not enough memory for a canvas', 'InvalidStateError');
    this.#context.drawImage(frame, 0, 0, width, height);
    return new VideoFrame(this.#context.canvas, { timestamp, alpha: 'discard' });
  }
}

/** @param {VideoFrame} frame */
export const isTurned = (frame) => !isUpright(orientationOf(frame));
