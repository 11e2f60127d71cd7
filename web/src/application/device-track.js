/** DeviceTrack: one track that an application gets from a virtual device. */

import { readConstraints, settle } from './constraints.js';

/** @typedef {import('./constraints.js').Constraints} Constraints */
/** @typedef {import('./constraints.js').Value} Value */

/**
 * A virtual camera, microphone, or shared screen.
 *
 * @typedef {object} VirtualDevice
 * @property {'audio' | 'video'} kind
 * @property {Record<string, string>} ids the ids that are both settings and capabilities, such as the deviceId
 * @property {string[]} [aliases] other names for the deviceId
 * @property {string} label
 * @property {import('./constraints.js').Capabilities} capabilities
 * @property {Record<string, Value>} defaults the settings to use unless the constraints require or prefer others
 * @property {readonly number[]} [steadyRates] the frame rates that the device prefers
 * @property {Record<string, Value>} fixed additional settings that constraints can't change
 * @property {(size: VideoSize) => DeviceMedia} open
 */

/**
 * Creates the native track, and makes the track report the same information as a real device's track. For example, a
 * device's track has a size from the start, while a generator's track has no size before its first frame.
 */
export class DeviceTrack {
  #device;
  #answers;
  #tracks;
  #constraints;
  /** The settings with which the device was opened. */
  #opened;
  #settings;
  #media;

  /**
   * @param {VirtualDevice} device
   * @param {Constraints} constraints
   * @param {WeakMap<object, Answers>} answers
   * @param {Set<DeviceTrack>} tracks all tracks that have not been stopped; this track is added to them
   * @param {{opened: Record<string, Value>, settings: Record<string, Value>}} [original] the settings of the track from
   * which this track is cloned
   */
  constructor(device, constraints, answers, tracks, original) {
    this.#device = device;
    this.#answers = answers;
    this.#tracks = tracks;
    this.#constraints = constraints;
    this.#opened =
      original?.opened ?? settle(valuesOf(device), device.defaults, constraints, device.steadyRates);
    this.#settings = original?.settings ?? this.#opened;
    this.#media = device.open(sizeOf(this.#settings));
    answers.set(this.track, {
      label: () => device.label,
      getSettings: () => this.#describe(),
      getConstraints: () => structuredClone(this.#constraints.given),
      getCapabilities: () => capabilitiesOf(device),
      applyConstraints: (/** @type {unknown} */ given) => this.#apply(given),
      clone: () => this.#clone(),
      stop: () => this.#release(),
    });
    tracks.add(this);
  }

  get device() {
    return this.#device;
  }

  /** The native track. */
  get track() {
    return this.#media.track;
  }

  get ready() {
    return this.#media.ready;
  }

  /** Ends the track as if the device had been unplugged. */
  unplug() {
    if (this.track.readyState === 'ended') return;
    this.track.stop();
    // Unplugging a device fires an event on its track, but stopping the track in code does not.
    this.track.dispatchEvent(new Event('ended'));
  }

  /** @param {unknown} [given] */
  async #apply(given) {
    if (given !== undefined && typeof given !== 'object') {
      const reason = "The provided value is not of type 'MediaTrackConstraints'.";
      throw new TypeError(`Failed to execute 'applyConstraints' on 'MediaStreamTrack': ${reason}`);
    }
    if (this.track.readyState === 'ended')
      throw new OverconstrainedError('', 'The track is not connected to any source');
    const constraints = readConstraints(given);
    // If no constraints are given, Chrome keeps the settings. Otherwise, Chrome starts again from the settings with
    // which the device was opened.
    if (Object.keys(constraints.given).length > 0) {
      const message = 'Cannot satisfy constraints';
      const { steadyRates } = this.#device;
      this.#settings = settle(valuesOf(this.#device), this.#opened, constraints, steadyRates, message);
      this.#media.fit(sizeOf(this.#settings));
    }
    this.#constraints = constraints;
    return Promise.resolve();
  }

  #describe() {
    // A camera's track has no size once it has ended.
    const hasEnded = this.track.readyState === 'ended' && this.#device.kind === 'video';
    return hasEnded ? { ...this.#device.ids } : { ...this.#device.fixed, ...this.#settings };
  }

  #clone() {
    const { track } = this;
    const [device, answers, tracks] = [this.#device, this.#answers, this.#tracks];
    const settings = { opened: this.#opened, settings: this.#settings };
    const copy = new DeviceTrack(device, this.#constraints, answers, tracks, settings).track;
    copy.enabled = track.enabled;
    copy.contentHint = track.contentHint;
    if (track.readyState === 'ended') copy.stop();
    return copy;
  }

  #release() {
    if (this.#tracks.delete(this)) this.#media.close();
  }
}

/** Returns the capabilities as an application sees them. @param {VirtualDevice} device */
export const capabilitiesOf = ({ ids, capabilities }) => structuredClone({ ...capabilities, ...ids });

/** Returns the possible values of every property that constraints can restrict. @param {VirtualDevice} device */
function valuesOf({ ids, aliases = [], capabilities }) {
  const lists = Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, [id]]));
  return { ...capabilities, ...lists, deviceId: [...(lists['deviceId'] ?? []), ...aliases] };
}

/** @param {Record<string, Value>} settings @returns {VideoSize} */
const sizeOf = ({ width, height, frameRate }) => ({
  width: Number(width),
  height: Number(height),
  frameRate: Number(frameRate),
});
