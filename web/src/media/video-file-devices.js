/**
 * VideoFileDevices: the camera, microphone and screen that an application gets in place of the browser's devices if a
 * participant plays a video file.
 *
 * Input: the playing video file. Output: tracks. The camera and the shared screen both show the file. As with a real
 * camera, the application can request smaller frames than the file has.
 */

import { startWorker } from '../shared/start-worker.js';

/** @typedef {import('./video-file.js').VideoFileMedia} VideoFileMedia */

/** @implements {DeviceSource} */
export class VideoFileDevices {
  kind = /** @type {const} */ ('video-file');
  /** @type {readonly number[]} */
  steadyRates = [];
  #file;

  /** @param {VideoFileMedia} file */
  constructor(file) {
    this.#file = file;
  }

  get videoSize() {
    return this.#file.size;
  }

  get videoRange() {
    const { width, height, frameRate } = this.videoSize;
    return {
      width: { min: 2, max: width },
      height: { min: 2, max: height },
      frameRate: { min: 1, max: frameRate },
    };
  }

  /** Returns whether the file has a track of this kind. @param {'audio' | 'video'} kind */
  has(kind) {
    return this.#trackOf(kind) !== undefined;
  }

  /** @param {'camera' | 'screen'} device @param {VideoSize} size @returns {DeviceMedia} */
  openVideo(device, size) {
    const source = this.#clone('video');
    const generator = new MediaStreamTrackGenerator({ kind: 'video' });
    const track = generator.clone();
    // The content hint "detail" makes WebRTC treat the video as a shared screen.
    track.contentHint = device === 'screen' ? 'detail' : '';
    const { readable } = new MediaStreamTrackProcessor({
      track: /** @type {MediaStreamVideoTrack} */ (source),
    });
    const { writable } = generator;
    const worker = startWorker(new URL('./frame-scaler-worker.js', import.meta.url));
    const post = (/** @type {FrameScalerMessage} */ message, /** @type {Transferable[]} */ transfer = []) =>
      worker.postMessage(message, transfer);
    post({ type: 'start', readable, writable, size }, [readable, writable]);
    return {
      track,
      ready: new Promise((resolve) => worker.addEventListener('message', resolve, { once: true })),
      fit: (changed) => post({ type: 'fit', size: changed }),
      close: () => {
        worker.terminate();
        source.stop();
        generator.stop();
      },
    };
  }

  /** @returns {DeviceMedia} */
  openAudio() {
    return {
      track: this.#clone('audio'),
      ready: Promise.resolve(),
      fit: () => undefined,
      close: () => undefined,
    };
  }

  setClock() {
    this.#file.setClock();
  }

  setSpeaking() {
    this.#file.setSpeaking();
  }

  close() {
    return this.#file.close();
  }

  /** @param {'audio' | 'video'} kind */
  #clone(kind) {
    const track = this.#trackOf(kind)?.clone();
    if (!track) throw new Error(`The video file has no ${kind}.`);
    return track;
  }

  /** @param {'audio' | 'video'} kind */
  #trackOf(kind) {
    return this.#file.stream.getTracks().find((track) => track.kind === kind);
  }
}
