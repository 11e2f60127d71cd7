/**
 * VirtualDevices: the camera, microphone and screen that an application gets instead of the browser's own.
 *
 * Input: the application's calls to navigator.mediaDevices, which hooks.js redirects, and the source of the devices'
 * media. Output: streams, device descriptions and errors like those that Chrome returns for real devices.
 */

import { HarnessError, within } from '../shared/errors.js';
import { MOVEMENTS, isRequired, readConstraints } from './constraints.js';
import { DeviceTrack, capabilitiesOf } from './device-track.js';

/** @typedef {import('./constraints.js').Constraints} Constraints */
/** @typedef {import('./device-track.js').VirtualDevice} VirtualDevice */
/** @typedef {'audio' | 'video'} Kind */

const GROUP = 'harness';
/** How long a device may take to deliver its first frame, in ms. */
const OPENED_WITHIN = 10_000;
const KINDS = /** @type {const} */ (['audio', 'video']);
const NAMES = /** @type {const} */ ({ audio: 'microphone', video: 'camera' });
const SURFACES = ['monitor', 'window', 'browser'];
/** Chrome's device id for a tab whose content is shared. */
const TAB = 'web-contents-media-stream://0:0';
const EITHER = [true, false];

/** @implements {ApplicationCamera} */
export class VirtualDevices {
  #source;
  #answers;
  /** The devices that are plugged in. @type {Map<Kind, VirtualDevice>} */
  #devices = new Map();
  /** The number of devices that have been plugged in so far. */
  #counts = { audio: 0, video: 0 };
  /** The tracks that have not been stopped. @type {Set<DeviceTrack>} */
  #tracks = new Set();

  /**
   * @param {DeviceSource} source
   * @param {WeakMap<object, Answers>} answers where hooks.js looks up the replacement properties and methods of virtual
   * devices and tracks
   */
  constructor(source, answers) {
    this.#source = source;
    this.#answers = answers;
    for (const kind of KINDS) if (source.has(kind)) this.#plugIn(kind);
  }

  /** Opens devices, like getUserMedia. @param {unknown} [constraints] */
  async open(constraints) {
    const requested = readRequest('getUserMedia', constraints);
    const kinds = KINDS.filter((kind) => requested[kind]);
    if (kinds.length === 0)
      throw new TypeError(complaint('getUserMedia', 'At least one of audio and video must be requested'));
    const movement = MOVEMENTS.find((name) => isRequired(requested.video?.basic[name]));
    if (movement)
      throw new TypeError(complaint('getUserMedia', `Mandatory ${movement} constraints are not supported`));
    if (!kinds.every((kind) => isAllowed(NAMES[kind])))
      throw new DOMException('Permission denied', 'NotAllowedError');
    /** @type {[VirtualDevice, Constraints][]} */
    const chosen = [];
    for (const kind of kinds) {
      const [device, constraint] = [this.#devices.get(kind), requested[kind]];
      if (!device) throw new DOMException('Requested device not found', 'NotFoundError');
      if (constraint) chosen.push([device, constraint]);
    }
    return this.#openTracks(chosen);
  }

  /** Shares the screen, like getDisplayMedia. @param {unknown} [constraints] */
  async share(constraints) {
    const call = /** @type {const} */ ('getDisplayMedia');
    const { audio, video } = readRequest(call, constraints, true);
    if (!audio && !video) throw new TypeError(complaint(call, 'either audio or video must be requested'));
    for (const { basic, advanced } of [audio, video].filter((one) => one !== null)) {
      if (advanced.length > 0) throw new TypeError(complaint(call, 'Advanced constraints are not supported'));
      for (const bound of /** @type {const} */ (['min', 'exact'])) {
        if (Object.values(basic).some((constraint) => constraint?.[bound] !== undefined))
          throw new TypeError(complaint(call, `${bound} constraints are not supported`));
      }
    }
    if (!isAllowed('display-capture')) throw new DOMException('Permission denied', 'NotAllowedError');
    if (!video || !this.#source.has('video'))
      throw new DOMException('Requested device not found', 'NotFoundError');
    const surface = SURFACES.find((one) => video.basic['displaySurface']?.ideal?.includes(one)) ?? 'monitor';
    /** @type {[VirtualDevice, Constraints][]} */
    const chosen = [[this.#screen(surface), video]];
    if (audio && this.#source.has('audio')) chosen.unshift([this.#screenAudio(), audio]);
    return this.#openTracks(chosen);
  }

  /** Describes the devices, like enumerateDevices. */
  devices() {
    const [audio, video] = KINDS.map((kind) => this.#devices.get(kind));
    return [
      ...(audio ? [this.#describe('audioinput', audio)] : []),
      ...(video ? [this.#describe('videoinput', video)] : []),
      this.#describe('audiooutput', { deviceId: 'default', label: 'Default' }),
    ];
  }

  /** Ends a device's tracks and removes the device. @param {Kind} kind */
  unplug(kind) {
    if (!this.#remove(kind)) return;
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  }

  /** Plugs in a new device, which replaces the current device, if any. @param {Kind} kind */
  plugIn(kind) {
    this.#remove(kind);
    this.#plugIn(kind);
    navigator.mediaDevices.dispatchEvent(new Event('devicechange'));
  }

  /** @param {Kind} kind */
  #plugIn(kind) {
    this.#counts[kind] += 1;
    const number = this.#counts[kind];
    const source = this.#source;
    const media = source.kind === 'video-file' ? 'Video file' : 'Synthetic';
    const name = NAMES[kind];
    const made = {
      kind,
      ids: { deviceId: number === 1 ? `harness-${name}` : `harness-${name}-${number}`, groupId: GROUP },
      label: number === 1 ? `${media} ${name}` : `${media} ${name} ${number}`,
      fixed: {},
    };
    this.#devices.set(
      kind,
      kind === 'audio'
        ? { ...made, ...MICROPHONE, aliases: ['default'], open: () => source.openAudio('microphone') }
        : { ...made, ...cameraOf(source), open: (size) => source.openVideo('camera', size) },
    );
  }

  /** @param {Kind} kind */
  #remove(kind) {
    const device = this.#devices.get(kind);
    this.#devices.delete(kind);
    for (const track of this.#tracks) if (track.device === device) track.unplug();
    return device !== undefined;
  }

  /**
   * Returns the shared screen, window or tab, as if the user had chosen it in the browser's dialog.
   *
   * @param {string} surface what is shared: monitor, window or browser
   * @returns {VirtualDevice}
   */
  #screen(surface) {
    const source = this.#source;
    const { defaults, ...camera } = cameraOf(source);
    const deviceId = { monitor: 'screen:0:0', window: 'window:0:0' }[surface] ?? TAB;
    return {
      kind: 'video',
      ids: { deviceId, displaySurface: surface },
      label: deviceId,
      ...camera,
      defaults: { ...defaults, resizeMode: 'crop-and-scale' },
      fixed: { cursor: 'motion', logicalSurface: true },
      open: (size) => source.openVideo('screen', size),
    };
  }

  /** @returns {VirtualDevice} */
  #screenAudio() {
    const source = this.#source;
    return {
      kind: 'audio',
      ids: { deviceId: TAB },
      label: 'Tab audio',
      capabilities: { ...MICROPHONE.capabilities, restrictOwnAudio: [false] },
      defaults: MICROPHONE.defaults,
      fixed: {},
      open: () => source.openAudio('screen'),
    };
  }

  /** Opens all tracks, or none of them. @param {[VirtualDevice, Constraints][]} chosen */
  async #openTracks(chosen) {
    /** @type {DeviceTrack[]} */
    const opened = [];
    try {
      for (const [device, constraints] of chosen) {
        const tracks = this.#tracks;
        opened.push(new DeviceTrack(device, constraints, this.#answers, tracks));
      }
      await within(
        Promise.all(opened.map(({ ready }) => ready)),
        OPENED_WITHIN,
        () => 'The device did not start.',
      );
    } catch (error) {
      for (const { track } of opened) track.stop();
      // Applications expect the browser's errors.
      throw error instanceof HarnessError ? new DOMException(error.message, 'NotReadableError') : error;
    }
    return new MediaStream(opened.map(({ track }) => track));
  }

  /**
   * @param {MediaDeviceKind} kind
   * @param {VirtualDevice | {deviceId: string, label: string}} device
   * @returns {MediaDeviceInfo}
   */
  #describe(kind, device) {
    const { label } = device;
    const isInput = 'capabilities' in device;
    const deviceId = (isInput ? device.ids['deviceId'] : device.deviceId) ?? '';
    const Info = isInput ? InputDeviceInfo : MediaDeviceInfo;
    /** @type {unknown} */
    const object = Object.create(Info.prototype);
    const info = /** @type {MediaDeviceInfo} */ (object);
    const values = { deviceId, kind, label, groupId: GROUP };
    this.#answers.set(info, {
      deviceId: () => deviceId,
      kind: () => kind,
      label: () => label,
      groupId: () => GROUP,
      toJSON: () => ({ ...values }),
      ...(isInput && { getCapabilities: () => capabilitiesOf(device) }),
    });
    return info;
  }
}

const MICROPHONE = {
  capabilities: {
    autoGainControl: EITHER,
    channelCount: { min: 1, max: 1 },
    echoCancellation: EITHER,
    latency: { min: 0.01, max: 0.01 },
    noiseSuppression: EITHER,
    sampleRate: { min: 48_000, max: 48_000 },
    sampleSize: { min: 16, max: 16 },
    voiceIsolation: [false],
  },
  // The audio is never processed, since processing would distort its marker.
  defaults: { autoGainControl: true, echoCancellation: true, noiseSuppression: true },
};

/** @param {DeviceSource} source */
function cameraOf({ videoRange: { width, height, frameRate }, videoSize, steadyRates }) {
  return {
    capabilities: {
      aspectRatio: { min: width.min / height.max, max: width.max / height.min },
      facingMode: [],
      frameRate,
      height,
      resizeMode: ['none', 'crop-and-scale'],
      width,
    },
    defaults: { ...videoSize, resizeMode: 'none' },
    steadyRates,
  };
}

const DICTIONARIES = /** @type {const} */ ({
  getUserMedia: 'UserMediaStreamConstraints',
  getDisplayMedia: 'DisplayMediaStreamOptions',
});

/**
 * Reads the argument of getUserMedia or getDisplayMedia.
 *
 * @param {keyof typeof DICTIONARIES} call
 * @param {unknown} given
 * @param {boolean} [video] whether video is requested by default
 */
function readRequest(call, given, video = false) {
  if (given !== undefined && given !== null && typeof given !== 'object' && typeof given !== 'function')
    throw new TypeError(complaint(call, `The provided value is not of type '${DICTIONARIES[call]}'.`));
  const request = /** @type {Partial<Record<Kind, unknown>>} */ (given ?? {});
  const read = (/** @type {unknown} */ one) => (one || one === null ? readConstraints(one) : null);
  return {
    audio: read(request.audio),
    video: read(request.video === undefined ? video : request.video),
  };
}

/** @param {string} call @param {string} reason */
const complaint = (call, reason) => `Failed to execute '${call}' on 'MediaDevices': ${reason}`;

/** Returns whether the page's permissions policy allows a feature in this frame. @param {string} feature */
function isAllowed(feature) {
  const { featurePolicy } = /** @type {PolicyDocument} */ (/** @type {unknown} */ (document));
  return featurePolicy?.allowsFeature(feature) ?? true;
}
