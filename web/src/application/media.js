/** ApplicationMedia: the tracks that an application sends, and the virtual camera and microphone that it can use. */

import { invalidState } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { videoSizeOf } from '../webrtc/tracks.js';

const CAMERA_ID = 'harness-camera';
const MICROPHONE_ID = 'harness-microphone';
const GROUP = 'harness';

/**
 * Emits `changed` when the application sends different tracks or switches its tracks on or off. Only the application
 * itself can switch its tracks on or off.
 *
 * @implements {LocalMedia}
 * @extends {Emitter<{changed: void}>}
 */
export class ApplicationMedia extends Emitter {
  kind = /** @type {const} */ ('application');
  /** The tracks that are sent: at most one video and one audio track. */
  stream = new MediaStream();
  #hooks;
  #source;
  #onSending = () => this.#updateTracks();

  /**
   * @param {ApplicationHooks} hooks
   * @param {LocalMedia | null} source the media for the application's virtual camera and microphone; null if the
   * application uses its own devices
   */
  constructor(hooks, source) {
    super();
    this.#hooks = hooks;
    this.#source = source;
    hooks.camera = source && new VirtualCamera(source);
    hooks.addEventListener('sending', this.#onSending);
    this.#updateTracks();
  }

  get size() {
    return videoSizeOf(this.stream);
  }

  /** Returns whether a track of this kind is sent and enabled. @param {'audio' | 'video'} kind */
  sends(kind) {
    return this.stream.getTracks().some((track) => track.kind === kind && track.enabled);
  }

  /** @param {number} offset */
  setClock(offset) {
    this.#source?.setClock(offset);
  }

  fit() {
    // The application chooses the size of its video.
  }

  /** @returns {Promise<MediaStreamTrack>} */
  share() {
    return Promise.reject(belongsToApplication());
  }

  /** @returns {Promise<MediaStreamTrack>} */
  replace() {
    return Promise.reject(belongsToApplication());
  }

  /** @param {boolean} on */
  setSpeaking(on) {
    if (!this.#source) throw invalidState('setSpeaking is available only for synthetic participants.');
    this.#source.setSpeaking(on);
  }

  async close() {
    this.#hooks.removeEventListener('sending', this.#onSending);
    this.#hooks.camera = null;
    await this.#source?.close();
  }

  #updateTracks() {
    const sent = [...this.#hooks.connections]
      .flatMap((connection) => connection.getSenders())
      .map(({ track }) => track)
      .filter((track) => track !== null && track.readyState === 'live');
    for (const kind of ['audio', 'video']) {
      const before = this.stream.getTracks().find((track) => track.kind === kind);
      const now = sent.find((track) => track === before) ?? sent.find((track) => track?.kind === kind);
      if (before === now) continue;
      if (before) this.stream.removeTrack(before);
      if (now) this.stream.addTrack(now);
    }
    this.emit('changed');
  }
}

/** A virtual camera and microphone with synthetic media or a video file. */
class VirtualCamera {
  #media;

  /** @param {LocalMedia} media */
  constructor(media) {
    this.#media = media;
  }

  /** @param {MediaStreamConstraints} [constraints] */
  open(constraints = {}) {
    const { audio, video } = constraints;
    if (!audio && !video) throw new TypeError('At least one of audio and video must be requested');
    const tracks = this.#media.stream
      .getTracks()
      .filter(({ kind }) => (kind === 'audio' ? audio : video))
      .map((track) => this.#deviceTrack(track, kindOf(constraints, track.kind)));
    return new MediaStream(tracks);
  }

  share() {
    // Painting a real screen image would need a second worker, so the shared screen is the camera's video with another
    // label.
    const [track] = this.#media.stream.getVideoTracks();
    return Promise.resolve(new MediaStream(track ? [this.#deviceTrack(track, {}, 'screen')] : []));
  }

  devices() {
    return [
      device('audioinput', MICROPHONE_ID, this.#label('microphone')),
      device('videoinput', CAMERA_ID, this.#label('camera')),
      device('audiooutput', 'default', 'Default'),
    ];
  }

  /** @param {'camera' | 'microphone'} device */
  #label(device) {
    return `${this.#media.kind === 'video-file' ? 'Video file' : 'Synthetic'} ${device}`;
  }

  /**
   * Returns a clone of a track that behaves like a device's track. For example, the clone has a size from the start,
   * while a generator's track has no size before its first frame.
   *
   * @param {MediaStreamTrack} track
   * @param {MediaTrackConstraints} constraints
   * @param {string} [label]
   */
  #deviceTrack(track, constraints, label) {
    const copy = track.clone();
    const video = track.kind === 'video';
    const media = this.#media;
    let current = constraints;
    const settings = () =>
      video
        ? {
            ...media.size,
            aspectRatio: media.size.width / media.size.height,
            deviceId: CAMERA_ID,
            groupId: GROUP,
          }
        : {
            deviceId: MICROPHONE_ID,
            groupId: GROUP,
            sampleRate: 48_000,
            channelCount: 1,
            echoCancellation: false,
          };
    const apply = (/** @type {MediaTrackConstraints} */ applied = {}) => {
      current = applied;
      const { width, height, frameRate } = applied;
      const size = {
        width: numberOf(width) ?? media.size.width,
        height: numberOf(height) ?? media.size.height,
        frameRate: numberOf(frameRate) ?? media.size.frameRate,
      };
      if (video && (width !== undefined || height !== undefined)) media.fit(size);
      return Promise.resolve();
    };
    void apply(constraints);
    const name = label ?? this.#label(video ? 'camera' : 'microphone');
    Object.defineProperty(copy, 'label', { value: name });
    return Object.assign(copy, {
      getSettings: settings,
      getConstraints: () => current,
      getCapabilities: () => (video ? videoCapabilities(media.size) : AUDIO_CAPABILITIES),
      applyConstraints: apply,
      clone: () => this.#deviceTrack(track, current, label),
    });
  }
}

/** @param {VideoSize} size */
const videoCapabilities = ({ width, height }) => ({
  deviceId: CAMERA_ID,
  groupId: GROUP,
  width: { min: 2, max: Math.max(width, 1280) },
  height: { min: 2, max: Math.max(height, 720) },
  frameRate: { min: 15, max: 30 },
  aspectRatio: { min: 1, max: width / height },
  facingMode: [],
});
const AUDIO_CAPABILITIES = { deviceId: MICROPHONE_ID, groupId: GROUP, channelCount: { min: 1, max: 1 } };

/** @param {MediaStreamConstraints} constraints @param {string} kind @returns {MediaTrackConstraints} */
function kindOf(constraints, kind) {
  const requested = kind === 'audio' ? constraints.audio : constraints.video;
  return typeof requested === 'object' ? requested : {};
}

/** @param {ConstrainULong | ConstrainDouble | undefined} constraint */
const numberOf = (constraint) =>
  typeof constraint === 'object'
    ? (constraint.exact ?? constraint.ideal ?? constraint.max ?? constraint.min)
    : constraint;

/** @param {MediaDeviceKind} kind @param {string} deviceId @param {string} label @returns {MediaDeviceInfo} */
const device = (kind, deviceId, label) => {
  const info = { kind, deviceId, label, groupId: GROUP };
  return { ...info, toJSON: () => info };
};

const belongsToApplication = () =>
  invalidState('Screen sharing and devices are controlled by the application; change them there.');
