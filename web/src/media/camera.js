/** CameraMedia: a participant's real (or Chrome's fake) camera and microphone. */

import { HarnessError, invalidState } from '../shared/errors.js';
import { videoSizeOf } from '../webrtc/tracks.js';

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

/**
 * Returns the getUserMedia constraints for a device.
 *
 * @param {'audio' | 'video'} kind
 * @param {string | undefined} deviceId
 * @returns {MediaTrackConstraints}
 */
const constraintsFor = (kind, deviceId) => ({
  ...(kind === 'video' && CAMERA),
  ...(deviceId && { deviceId: { exact: deviceId } }),
});

/**
 * Opens the camera and the microphone, or only one of them if the other is missing.
 *
 * @param {{audio: MediaTrackConstraints, video: MediaTrackConstraints}} constraints
 */
async function openDevices({ audio, video }) {
  const { mediaDevices } = navigator;
  try {
    return await mediaDevices.getUserMedia({ audio, video });
  } catch (error) {
    if (!(error instanceof Error && error.name === 'NotFoundError')) throw error;
    return mediaDevices.getUserMedia({ audio }).catch(() => mediaDevices.getUserMedia({ video }));
  }
}

/** @implements {LocalMedia} */
export class CameraMedia {
  kind = /** @type {const} */ ('camera');
  #devices;

  /** @param {MediaStream} stream @param {DeviceIds} [devices] the chosen devices */
  constructor(stream, devices = {}) {
    this.stream = stream;
    this.#devices = { ...devices };
  }

  /**
   * Opens the devices; if they can't be opened, the error contains the browser's reason.
   *
   * @param {DeviceIds} [devices]
   */
  static async open(devices = {}) {
    const constraints = {
      audio: constraintsFor('audio', devices.audio),
      video: constraintsFor('video', devices.video),
    };
    try {
      return new CameraMedia(await openDevices(constraints), devices);
    } catch (error) {
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new HarnessError('Error', `Could not open a camera or microphone (${reason}).`);
    }
  }

  /** @returns {VideoSize} */
  get size() {
    return videoSizeOf(this.stream);
  }

  setClock() {
    // A camera's video contains no markers, so it needs no clock.
  }

  /** Asks the camera for at least this size. @param {VideoSize} size */
  fit({ width, height, frameRate }) {
    const constraints = {
      width: { ideal: width },
      height: { ideal: height },
      frameRate: { ideal: frameRate },
    };
    for (const track of this.stream.getVideoTracks())
      track.applyConstraints(constraints).catch(() => undefined);
  }

  /** @param {boolean} on */
  async share(on) {
    const { mediaDevices } = navigator;
    const stream = await (on
      ? mediaDevices.getDisplayMedia({ video: true })
      : mediaDevices.getUserMedia({ video: constraintsFor('video', this.#devices.video) }));
    return this.#exchangeTrack('video', stream);
  }

  /**
   * @param {'audio' | 'video'} kind
   * @param {string} [deviceId] the id of the new device; by default, any device other than the current one
   */
  async replace(kind, deviceId) {
    const chosen = deviceId ?? (await this.#findOther(kind));
    const fresh = await navigator.mediaDevices.getUserMedia({ [kind]: constraintsFor(kind, chosen) });
    this.#devices[kind] = chosen;
    return this.#exchangeTrack(kind, fresh);
  }

  /** @param {'audio' | 'video'} kind */
  async #findOther(kind) {
    const devices = await navigator.mediaDevices.enumerateDevices();
    const used = this.stream.getTracks().find((track) => track.kind === kind);
    const { deviceId } = used?.getSettings() ?? {};
    return devices.find((device) => device.kind === `${kind}input` && device.deviceId !== deviceId)?.deviceId;
  }

  /** @param {'audio' | 'video'} kind @param {MediaStream} fresh */
  #exchangeTrack(kind, fresh) {
    const track = /** @type {MediaStreamTrack} */ (fresh.getTracks()[0]);
    for (const before of this.stream.getTracks()) {
      if (before.kind !== kind) continue;
      this.stream.removeTrack(before);
      before.stop();
    }
    this.stream.addTrack(track);
    return track;
  }

  setSpeaking() {
    throw invalidState(
      'setSpeaking is available only for synthetic participants; turn up the microphone instead.',
    );
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    return Promise.resolve();
  }
}
