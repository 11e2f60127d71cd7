/** A participant's real (or Chrome's fake) camera and microphone. */

import { HarnessError } from '../errors.js';

/** @implements {LocalMedia} */
export class CameraMedia {
  kind = /** @type {const} */ ('camera');

  /** @param {MediaStream} stream */
  constructor(stream) {
    this.stream = stream;
  }

  /** Asks for the devices; fails with what the browser said. */
  static async open() {
    try {
      const video = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
      return new CameraMedia(await navigator.mediaDevices.getUserMedia({ audio: true, video }));
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new HarnessError('Error', `No camera or microphone could be opened (${reason}).`);
    }
  }

  /** @returns {PictureSize} */
  get size() {
    const {
      width = 1280,
      height = 720,
      frameRate = 30,
    } = this.stream.getVideoTracks()[0]?.getSettings() ?? {};
    return { width, height, frameRate };
  }

  setClock() {
    // A camera carries no marks.
  }

  /** Asks the camera for at least this size. @param {PictureSize} size */
  fit({ width, height, frameRate }) {
    const wanted = { width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: frameRate } };
    for (const track of this.stream.getVideoTracks()) track.applyConstraints(wanted).catch(() => undefined);
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    return Promise.resolve();
  }
}
