/**
 * Client: the page's public API, which consists of join, leave, device control and NERTC's recording calls.
 *
 * Input: calls from the view (view/), from NERTC programs (entry/nertc.js) and from Python (entry/python.js). Output:
 * calls to one room, one source of media and a recording's stages (mixer, spool and recorder). main.js or attach.js
 * passes all of these in as `Parts`.
 */

import { invalidState } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { createQueue } from '../shared/promises.js';
import { CallFeed } from './call-feed.js';
import { Devices } from './devices.js';
import { Observations } from './observation.js';
import { Recordings } from './recordings.js';
import { Subscriber } from './subscriptions.js';

/**
 * @typedef {object} Parts a client's parts, which the main modules create
 * @property {() => string | null} unsupported the reason why this browser can't record, or null if it can
 * @property {() => FallbackName[]} fallbacks the fallbacks that this page uses
 * @property {() => CallRoom} createRoom
 * @property {(kind: string, options: MediaOptions) => Promise<LocalMedia>} openMedia
 * @property {(plan: RecordPlan) => import('../mixer/mixer.js').Mixer} createMixer
 * @property {() => Spool} createSpool
 * @property {(stream: MediaStream, spool: Spool, plan: RecordPlan) => import('../recorder/recorder.js').Recorder} createRecorder
 * @property {(ids: string[], plan: RecordPlan, speaker: string | null) => Record<string, VideoSize>} tileSizes
 * @property {(address: {url: string, name: string}) => Promise<void>} download
 */

/**
 * @typedef {object} MediaOptions
 * @property {string} name the participant's name
 * @property {number} marker
 * @property {RoomClockLike} clock
 * @property {DeviceIds} devices
 * @property {string | null} videoFile
 * @property {(frames: LateFrames) => void} onLate
 */

/** @typedef {import('../recorder/spool.js').Spool} Spool */
/** @typedef {import('./recordings.js').DownloadOptions} DownloadOptions */

/**
 * The options of `join`. `channelName` and `uid` are NERTC's names for `room` and `name`.
 *
 * @typedef {object} JoinOptions
 * @property {string} [name] of the participant
 * @property {string | number} [uid]
 * @property {string} [token] the access token from the server; not needed for a public room
 * @property {string} [room]
 * @property {string} [channelName]
 * @property {string} [code] the join code for a public room
 * @property {'synthetic' | 'camera' | 'video-file' | 'application'} [media]
 * @property {string | null} [videoFile] the path of the video file on the server
 * @property {DeviceIds} [devices] the camera and microphone to use
 * @property {Subscriptions} [subscriptions] the participants to subscribe to immediately after the join; none by
 * default
 * @property {number} [timeout] how long `join` waits for every subscriber to receive our media, in ms; 20 s by default
 */

/**
 * Emits `changed` when the page may have to be redrawn, `joined` after a join, and the following events about a
 * recording: `recording-started`, `-paused`, `-resumed`, `-stopped`, `-downloaded`, `-cleaned`, `-stalled`, `-failed`.
 * Emits `observation` with the progress of an observation.
 *
 * @extends {Emitter<ClientEvents>}
 * @implements {MediaRecordingCalls}
 */
export class Client extends Emitter {
  /** @type {'new' | 'joined' | 'left'} */
  state = 'new';
  name = '';
  /** @type {CallRoom | null} */
  room = null;
  #parts;
  #devices;
  #subscriber;
  #feed;
  #recordings;
  #observations;
  #inTurn = createQueue();
  /** @type {WeakMap<(detail: unknown) => void, (event: Event) => void>} */
  #handlers = new WeakMap();

  /** @param {Parts} parts */
  constructor(parts) {
    super();
    this.#parts = parts;
    this.#devices = new Devices(this.#inTurn);
    this.#subscriber = new Subscriber(parts.tileSizes, this.#devices);
    this.#feed = new CallFeed(this.#devices);
    this.#observations = new Observations(this.#feed);
    this.#observations.listen('progress', (detail) => this.emit('observation', detail));
    this.#recordings = new Recordings(parts, this.#feed, (name, detail) => this.#notify(name, detail));
    this.#devices.listen('changed', () => {
      this.#feed.updateOwnSource();
      this.emit('changed');
    });
    this.#devices.listen('replaced', () => this.#subscriber.fit());
    this.#recordings.listen('needs', () => this.#subscriber.update(this.#recordings.needs));
  }

  /** The recording on which NERTC's recording calls operate. */
  get recording() {
    return this.#recordings.current;
  }

  get media() {
    return this.#devices.media;
  }

  get microphone() {
    return this.#devices.microphone;
  }

  get camera() {
    return this.#devices.camera;
  }

  /** Whether the screen is shared in place of the camera. */
  get screen() {
    return this.#devices.screen;
  }

  /** Joins a room; resolves when every subscriber has received video and audio from us. @param {JoinOptions} options */
  join(options) {
    return this.#inTurn(() => this.#join(options));
  }

  /** Leaves the room and stops the recording, which can still be downloaded. */
  leave() {
    return this.#inTurn(() => this.#leave());
  }

  /** NERTC: starts recording. @param {RecordOptions} [data] @param {DownloadOptions} [options] */
  startMediaRecording(data, options) {
    return this.#inTurn(() =>
      this.#recordings.start(this.state === 'joined' ? this.room : null, data, options),
    );
  }

  /** NERTC: stops recording; resolves with information about the finished file. */
  stopMediaRecording() {
    return this.#inTurn(() => this.#recordings.stop());
  }

  /**
   * NERTC: downloads the finished file; resolves when the server has sent its last byte. Fails if the browser does not
   * begin the download within a few seconds, or does not continue it.
   *
   * @param {DownloadOptions} [options]
   */
  downloadMediaRecording(options) {
    return this.#inTurn(() => this.#recordings.download(options));
  }

  /** NERTC: discards the page's and the server's copies of the recording. */
  cleanMediaRecording() {
    return this.#inTurn(() => this.#recordings.clean());
  }

  /** Pauses the recording; the file omits the paused time. */
  pauseMediaRecording() {
    return this.#inTurn(() => this.#recordings.pause());
  }

  resumeMediaRecording() {
    return this.#inTurn(() => this.#recordings.resume());
  }

  /** Returns the recording's status at once, without waiting for queued calls. @returns {RecordingStatus} */
  getMediaRecording() {
    return this.#recordings.status;
  }

  /**
   * Starts to observe the call without recording it. The event `observation` passes on every entry as soon as it is
   * logged.
   *
   * @param {string} id
   */
  startObservation(id) {
    return this.#inTurn(() => {
      // Only synthetic media has a counter, and therefore markers.
      const marker = this.getCounterZero() === null ? null : (this.room?.marker ?? null);
      return this.#observations.start(id, this.state === 'joined' ? this.room : null, marker);
    });
  }

  /** Ends the observation with the given id; resolves with everything that was observed. @param {string} id */
  stopObservation(id) {
    return this.#inTurn(() => Promise.resolve(this.#observations.stop(id)));
  }

  /** Returns when the counter in our markers was 0, in ms on the room's clock; null if our media has no markers. */
  getCounterZero() {
    const zero = this.media?.counterZero ?? null;
    return zero === null || !this.room ? null : this.room.clock.room(zero);
  }

  /** Returns the names of the other participants in the call. */
  getParticipants() {
    return [...(this.room?.participants.values() ?? [])].map(({ name }) => name);
  }

  /**
   * NERTC: calls `handler` with the detail of each event named `name`.
   *
   * @param {string} name
   * @param {(detail: unknown) => void} handler
   */
  on(name, handler) {
    const listener =
      this.#handlers.get(handler) ??
      ((/** @type {Event} */ event) => handler(/** @type {CustomEvent<unknown>} */ (event).detail));
    this.#handlers.set(handler, listener);
    this.addEventListener(name, listener);
  }

  /** @param {string} name @param {(detail: unknown) => void} handler */
  off(name, handler) {
    const listener = this.#handlers.get(handler);
    if (listener) this.removeEventListener(name, listener);
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.#devices.setMicrophone(on);
  }

  /** @param {boolean} on */
  setCamera(on) {
    this.#devices.setCamera(on);
  }

  /** Shares the screen in place of the camera, or shows the camera again. @param {boolean} on */
  shareScreen(on) {
    return this.#devices.shareScreen(on);
  }

  /** Switches to another microphone or camera. @param {'audio' | 'video'} kind @param {string} [deviceId] */
  replaceDevice(kind, deviceId) {
    return this.#devices.replace(kind, deviceId);
  }

  /** Ends a device's track, as if the device were unplugged. @param {'audio' | 'video'} kind */
  unplugDevice(kind) {
    this.#devices.unplug(kind);
  }

  /**
   * Raises the participant's voice, or returns it to normal; available only for synthetic media.
   *
   * @param {boolean} on
   */
  setSpeaking(on) {
    this.media?.setSpeaking(on);
  }

  /**
   * Subscribes to the participants that the page shows, even while nothing is being recorded.
   *
   * @param {Subscriptions} subscriptions
   */
  watch(subscriptions) {
    this.#subscriber.watch(subscriptions);
    this.#subscriber.update(this.#recordings.needs);
  }

  /** @param {JoinOptions} options */
  async #join({
    name,
    uid,
    token,
    room: roomName,
    channelName,
    code,
    media: kind = 'synthetic',
    videoFile = null,
    devices = {},
    subscriptions = null,
    timeout,
  }) {
    if (this.state === 'joined') throw invalidState(`${this.name} is already in a room; leave it first.`);
    const room = this.#parts.createRoom();
    await room.join({
      token: token ?? null,
      room: roomName ?? channelName ?? null,
      name: name ?? (uid === undefined ? null : String(uid)),
      code: code ?? null,
      media: kind,
      subscriptions,
    });
    this.#follow(room);
    this.#subscriber.watch(subscriptions);
    const { marker, clock } = room;
    const onLate = (/** @type {LateFrames} */ frames) => room.reportLate(frames);
    const media = await this.#parts
      .openMedia(kind, { name: this.name, marker, clock, devices, videoFile, onLate })
      .catch((error) => {
        // If the media can't be opened, leave the room again.
        room.leave();
        throw error;
      });
    this.#devices.use(media, room);
    this.#subscriber.fit();
    this.state = 'joined';
    this.#devices.announceOff();
    this.emit('changed');
    this.emit('joined');
    this.emit('changed');
    await room.publish(media, timeout);
    return { id: room.id, marker: room.marker, name: room.name };
  }

  /** Handles events from the room that we have joined. @param {CallRoom} room */
  #follow(room) {
    this.room = room;
    this.name = room.name;
    this.#feed.follow(room);
    this.#subscriber.follow(room);
    for (const type of /** @type {const} */ (['joined', 'left', 'track', 'state'])) {
      room.listen(type, () => {
        if (type === 'joined' || type === 'left') this.#subscriber.update(this.#recordings.needs);
        this.emit('changed');
      });
    }
    room.listen('closed', () => this.emit('changed'));
  }

  async #leave() {
    if (this.state !== 'joined') return;
    this.#observations.end();
    try {
      await this.#recordings.finishRunning();
    } finally {
      // Leave the room even if the connection is lost and the recording can't be finished.
      this.state = 'left';
      this.room?.leave();
      await this.#devices.close();
      this.emit('changed');
    }
  }

  /**
   * Emits a recording event, followed by `changed`.
   *
   * @template {keyof RecordingEvents} Name
   * @param {Name} name
   * @param {RecordingEvents[Name]} detail
   */
  #notify(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
    this.emit('changed');
  }
}
