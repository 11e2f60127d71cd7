/** VirtualDevices: the camera, microphone and screen that an application gets instead of the browser's own. */

const CAMERA_ID = 'harness-camera';
const MICROPHONE_ID = 'harness-microphone';
const GROUP = 'harness';

/** A virtual camera and microphone with synthetic media or a video file. */
export class VirtualDevices {
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
