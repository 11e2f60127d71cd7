/** Client: join, leave, devices and the recording calls. The one place that strings the stages together, through one queue. */

import { invalidState, notSupported } from '../shared/errors.js';
import { Emitter } from '../shared/events.js';
import { recordPlan } from './record-plan.js';
import { Take } from './active-recording.js';

/**
 * @typedef {object} Parts what a client is made of; the roots build them
 * @property {() => string | null} unsupported why this browser can't record, or null
 * @property {() => CallRoom} createRoom
 * @property {(kind: string, options: {name: string, marker: number, clock: RoomClockLike, devices: DeviceIds, videoFile: string | null}) => Promise<LocalMedia>} openMedia
 * @property {(plan: RecordPlan) => import('../mixer/mixer.js').Mixer} createMixer
 * @property {() => import('../recorder/spool.js').Spool} createSpool
 * @property {(stream: MediaStream, spool: Spool, plan: RecordPlan) => import('../recorder/recorder.js').Recorder} createRecorder
 * @property {(ids: string[], plan: RecordPlan, speaker: string | null) => Record<string, VideoSize>} tileSizes
 * @property {(address: {url: string, name: string}) => Promise<void>} download
 */

/** @typedef {import('../recorder/spool.js').Spool} Spool */
/** @typedef {import('../mixer/mixer.js').Source} Source */

/**
 * NERTC's `channelName` and `uid` are our `room` and `name`.
 *
 * @typedef {object} JoinOptions
 * @property {string} [name] of the participant
 * @property {string | number} [uid]
 * @property {string} [token] from the server; nobody needs one at an open door
 * @property {string} [room]
 * @property {string} [channelName]
 * @property {string} [code] the join code of an open door
 * @property {'synthetic' | 'camera' | 'video-file' | 'application'} [media]
 * @property {string | null} [videoFile] the path of the video file on the server
 * @property {DeviceIds} [devices] which camera and microphone
 * @property {Subscriptions} [subscriptions] whom to receive from the start; nobody by default
 * @property {number} [timeout] ms until who wants us must have received us; 20 s by default
 */

/** Sound alone still needs a subscription; the smallest picture costs least. */
const SMALLEST = { width: 160, height: 90, frameRate: 15 };

/**
 * Emits `changed` whenever something that people see is different, `joined`, and the recording's own events:
 * `recording-started`, `-paused`, `-resumed`, `-stopped`, `-downloaded`, `-cleaned`, `-stalled`, `-failed`.
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
  /** @type {LocalMedia | null} */
  media = null;
  /** The recording that the calls are about. @type {Take | null} */
  take = null;
  /** @type {Subscriptions} */
  #subscriptions = null;
  /** The recordings that people come into and leave: the one that begins, too. @type {Set<Take>} */
  #live = new Set();
  /** What the recording that is about to begin wants. @type {RecordPlan | null} */
  #beginning = null;
  #microphone = true;
  #camera = true;
  #screen = false;
  /** Whether the camera was on before the screen was shown. */
  #cameraBefore = true;
  /** The size at which our own recording shows us. @type {VideoSize | null} */
  #own = null;
  /** @type {Promise<unknown>} */
  #queue = Promise.resolve();
  /** @type {WeakMap<(detail: unknown) => void, (event: Event) => void>} */
  #handlers = new WeakMap();
  #parts;

  /** @param {Parts} parts */
  constructor(parts) {
    super();
    this.#parts = parts;
  }

  /** Enters a room; resolves when everybody who wants our picture and sound has them. @param {JoinOptions} options */
  join(options) {
    return this.#inTurn(() => this.#join(options));
  }

  /** Leaves the room; a recording ends, and can still be downloaded. */
  leave() {
    return this.#inTurn(() => this.#leave());
  }

  /** NERTC: starts to record. @param {RecordOptions} [data] */
  startMediaRecording(data) {
    return this.#inTurn(() => this.#start(data));
  }

  /** NERTC: stops; resolves with the finished file's facts. */
  stopMediaRecording() {
    return this.#inTurn(() => this.#stop());
  }

  /** NERTC: downloads the finished file; resolves when its last byte is sent. */
  downloadMediaRecording() {
    return this.#inTurn(() => this.#download());
  }

  /** NERTC: frees the page's and the server's copy. */
  cleanMediaRecording() {
    return this.#inTurn(() => this.#clean());
  }

  /** Pauses; the pause is cut out of the file. */
  pauseMediaRecording() {
    return this.#inTurn(() => this.#pause());
  }

  resumeMediaRecording() {
    return this.#inTurn(() => this.#resume());
  }

  /** Returns how the recording is: answered at once, outside the queue. @returns {RecordingStatus} */
  getMediaRecording() {
    const { take } = this;
    return {
      state: take?.state ?? 'none',
      id: take?.id ?? null,
      elapsed: take?.elapsed ?? 0,
      bytes: take?.spool.bytes ?? 0,
      bytesAcknowledged: take?.spool.acknowledged ?? 0,
      alarm: take?.alarm ?? null,
    };
  }

  /** Returns the names of the others in the call. */
  getParticipants() {
    return [...(this.room?.members.values() ?? [])].map(({ name }) => name);
  }

  /** Calls `handler` with the detail of every event `name` (NERTC's way). @param {string} name @param {(detail: unknown) => void} handler */
  on(name, handler) {
    const listener =
      this.#handlers.get(handler) ??
      ((/** @type {Event} */ event) => handler(/** @type {CustomEvent<unknown>} */ (event).detail));
    this.#handlers.set(handler, listener);
    this.addEventListener(name, listener);
  }

  /** @param {string} name @param {(detail: unknown) => void} handler */
  off(name, handler) {
    this.removeEventListener(name, this.#handlers.get(handler) ?? null);
  }

  get microphone() {
    return this.#microphone;
  }

  get camera() {
    return this.#camera;
  }

  get screen() {
    return this.#screen;
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.#ours();
    this.#microphone = on;
    this.#announce();
  }

  /** @param {boolean} on */
  setCamera(on) {
    this.#ours();
    this.#camera = on;
    this.#announce();
  }

  /** Shows the screen in the camera's place, or the camera again. @param {boolean} on */
  shareScreen(on) {
    return this.#inTurn(async () => {
      if (on === this.#screen || !this.media) return;
      const [before] = this.media.stream.getVideoTracks();
      const track = await this.media.share(on);
      this.#screen = on;
      // A screen is shown, whether or not the camera was; afterwards the camera is as it was.
      if (on) this.#cameraBefore = this.#camera;
      this.#camera = on || this.#cameraBefore;
      await this.#swap(before, track);
    });
  }

  /** Takes another microphone or camera in place of the one in use. @param {'audio' | 'video'} kind @param {string} [deviceId] */
  replaceDevice(kind, deviceId) {
    return this.#inTurn(async () => {
      if (!this.media) return;
      const before = this.media.stream.getTracks().find((track) => track.kind === kind);
      const ended = before?.readyState !== 'live';
      const fresh = await this.media.replace(kind, deviceId);
      // One that was pulled out is back; one that somebody switched off stays off.
      if (ended && kind === 'audio') this.#microphone = true;
      else if (ended) this.#camera = true;
      await this.#swap(before, fresh);
    });
  }

  /** Ends a device as if it were pulled out. @param {'audio' | 'video'} kind */
  unplugDevice(kind) {
    for (const track of this.media?.stream.getTracks() ?? []) {
      if (track.kind !== kind) continue;
      track.stop();
      // Stopping a track by hand fires no event; pulling a device out does.
      track.dispatchEvent(new Event('ended'));
    }
  }

  /** Raises the voice, or lowers it to normal; only synthetic media can do that. @param {boolean} on */
  setSpeaking(on) {
    this.media?.setSpeaking(on);
  }

  /** Whom to receive although nothing is recorded: people want to see each other. @param {Subscriptions} subscriptions */
  watch(subscriptions) {
    this.#subscriptions = subscriptions;
    this.#subscribe();
  }

  /** @param {JoinOptions} options */
  async #join({
    name,
    uid,
    token,
    room,
    channelName,
    code,
    media = 'synthetic',
    videoFile = null,
    devices = {},
    subscriptions = null,
    timeout,
  }) {
    if (this.state === 'joined') throw invalidState(`${this.name} is in a room already; leave it first.`);
    const joined = this.#parts.createRoom();
    await joined.join({
      token: token ?? null,
      room: room ?? channelName ?? null,
      name: name ?? (uid === undefined ? null : String(uid)),
      code: code ?? null,
      media,
      subscriptions,
    });
    this.room = joined;
    this.name = joined.name;
    this.#subscriptions = subscriptions;
    for (const type of /** @type {const} */ (['joined', 'left', 'track', 'state']))
      joined.listen(type, (member) => this.#onMember(type, member));
    joined.listen('presence', (entry) => {
      for (const take of this.#live) if (take.plan.recorder === 'all') take.note(entry);
    });
    joined.listen('requested', () => this.#fit());
    for (const [type, on] of /** @type {const} */ ([
      ['disconnected', false],
      ['reconnected', true],
    ])) {
      joined.listen(type, ({ name: participant }) => {
        for (const take of this.#live) take.note({ event: 'network', participant, on });
      });
    }
    joined.listen('closed', () => this.emit('changed'));
    const { name: known, marker, clock } = joined;
    const opened = await this.#parts
      .openMedia(media, { name: known, marker, clock, devices, videoFile })
      .catch((error) => {
        // Who has nothing to bring is not left behind in the room.
        joined.leave();
        throw error;
      });
    this.media = opened;
    if (opened.kind === 'application')
      this.#followApp(/** @type {import('../application/media.js').AppMedia} */ (opened));
    else for (const track of opened.stream.getTracks()) this.#follow(track);
    joined.listen('clock', () => opened.setClock(joined.clock.offset));
    this.#fit();
    this.state = 'joined';
    // Who has no such device has it switched off.
    this.#microphone &&= opened.stream.getAudioTracks().length > 0;
    this.#camera &&= opened.stream.getVideoTracks().length > 0;
    // What was off in the room before is off in this one.
    if (!this.#microphone || !this.#camera) this.#announce();
    this.emit('changed');
    this.emit('joined');
    this.emit('changed');
    await joined.publish(opened, timeout);
    return { id: joined.id, marker: joined.marker, name: joined.name };
  }

  async #leave() {
    if (this.state !== 'joined') return;
    try {
      if (this.take?.running) await this.#finish(this.take);
    } finally {
      // Who can't finish a recording, since its server is gone, leaves all the same.
      this.state = 'left';
      this.room?.leave();
      await this.media?.close();
      this.media = null;
      if (this.#screen) this.#camera = this.#cameraBefore;
      this.#screen = false;
      this.emit('changed');
    }
  }

  /** @param {RecordOptions} [data] */
  async #start(data) {
    const reason = this.#parts.unsupported();
    if (reason) throw notSupported(reason);
    const plan = recordPlan(data);
    const { room } = this;
    if (this.state !== 'joined' || !room) throw invalidState('Not in a room; join one before recording.');
    room.checkRecordable();
    const old = this.take;
    /** What was downloaded by itself. @type {(FinishedRecording | null)[]} */
    const downloaded = [];
    // What its server lost can't be downloaded; it has it, or will recover it.
    if (old?.state === 'stopped' && !old.downloaded && !old.spool.closed)
      downloaded.push(await this.#fetch(old));
    const take = await this.#begin(plan, room);
    this.take = take;
    if (old?.running) {
      await this.#finish(old);
      downloaded.push(await this.#fetch(old));
    }
    if (old) await this.#free(old);
    this.#notify('recording-started', { id: take.id });
    return { id: take.id, mimeType: plan.mimeType, elapsed: take.elapsed, downloaded };
  }

  /** @param {RecordPlan} plan @param {CallRoom} room */
  async #begin(plan, room) {
    this.#beginning = plan;
    this.#subscribe();
    try {
      if (plan.recorder === 'all') await room.allArrived();
      const take = new Take(plan, await this.#stages(plan), room.clock);
      const { mixer } = take;
      take.listen('stalled', (message) => this.#notify('recording-stalled', { id: take.id, message }));
      take.listen('failed', (error) => {
        this.#live.delete(take);
        this.#notify('recording-failed', { id: take.id, error });
      });
      mixer.listen('speaker', () => this.#subscribe());
      const others = plan.recorder === 'all' ? [...room.members.values()] : [];
      this.#live.add(take);
      try {
        const sources = [this.#self(room), ...others.map((member) => source(room, member))];
        for (const entry of room.presence(plan.recorder)) take.note(entry);
        await take.begin(sources, room.spoolToken, () => room.statistics(), room.presenceFromServer);
      } catch (error) {
        this.#live.delete(take);
        throw error;
      }
      return take;
    } finally {
      this.#beginning = null;
      this.#subscribe();
    }
  }

  /** Builds what a recording is made of; nothing stays open where a part of it can't be had. @param {RecordPlan} plan */
  async #stages(plan) {
    const mixer = this.#parts.createMixer(plan);
    try {
      const spool = this.#parts.createSpool();
      return { mixer, spool, recorder: this.#parts.createRecorder(mixer.stream, spool, plan) };
    } catch (error) {
      await mixer.close();
      throw error;
    }
  }

  async #stop() {
    const { take } = this;
    if (!take?.running && take?.state !== 'failed') {
      throw invalidState('Nothing is being recorded; start a recording before stopping it.');
    }
    return this.#finish(take);
  }

  /** @param {Take} take */
  async #finish(take) {
    this.#live.delete(take);
    try {
      const finished = await take.finish();
      this.#notify('recording-stopped', finished);
      this.#notify('@media-recording-stopped', finished);
      return finished;
    } finally {
      this.#subscribe();
    }
  }

  async #pause() {
    const { take } = this;
    if (take?.state !== 'recording') throw invalidState('Nothing is being recorded that could be paused.');
    await take.pause();
    this.#notify('recording-paused', { id: take.id });
  }

  async #resume() {
    const { take } = this;
    if (take?.state !== 'paused') throw invalidState('No recording is paused.');
    await take.resume();
    this.#notify('recording-resumed', { id: take.id });
  }

  async #download() {
    const { take } = this;
    if (!take || take.state === 'cleaned') {
      throw invalidState('Nothing has been recorded; start and stop a recording before downloading it.');
    }
    if (take.running) await this.#finish(take);
    return this.#fetch(take);
  }

  /** @param {Take} take */
  async #fetch(take) {
    const finished = await take.fetch(this.#parts.download);
    this.#notify('recording-downloaded', finished);
    return finished;
  }

  async #clean() {
    const { take } = this;
    if (!take) return;
    if (take.running) await this.#finish(take);
    await this.#free(take);
  }

  /** @param {Take} take */
  async #free(take) {
    if (take.state === 'cleaned') return;
    await take.free();
    this.#notify('recording-cleaned', { id: take.id });
  }

  /** @param {'joined' | 'left' | 'track' | 'state'} type @param {CallMember} member */
  #onMember(type, member) {
    const { room } = this;
    for (const { plan, mixer } of this.#live) {
      if (plan.recorder !== 'all' || !room) continue;
      if (type === 'left') mixer.remove(member.id);
      else if (type === 'joined') mixer.add(source(room, member));
      else mixer.update(source(room, member));
    }
    if (type === 'joined' || type === 'left') this.#subscribe();
    this.emit('changed');
  }

  /**
   * A device that ends by itself leaves silence, or the card with the name; a screen, which people end with the
   * browser's own button, gives way to the camera.
   *
   * @param {MediaStreamTrack} track
   */
  #follow(track) {
    track.addEventListener('ended', () => {
      if (!this.media?.stream.getTracks().includes(track)) return;
      if (track.kind === 'audio') this.setMicrophone(false);
      else if (this.#screen) this.shareScreen(false).catch(() => this.setCamera(false));
      else this.setCamera(false);
    });
  }

  /** Follows what an application sends, and whether it is switched on. @param {import('../application/media.js').AppMedia} media */
  #followApp(media) {
    const look = () => {
      this.#microphone = media.sends('audio');
      this.#camera = media.sends('video');
      this.#announce();
    };
    media.addEventListener('changed', look);
    look();
  }

  /** Fails where microphone and camera are an application's. */
  #ours() {
    if (this.media?.kind === 'application') {
      throw invalidState("Microphone and camera are the application's own: switch them in its page.");
    }
  }

  /** Sends and records another track from here on. @param {MediaStreamTrack | undefined} before @param {MediaStreamTrack} fresh */
  async #swap(before, fresh) {
    this.#follow(fresh);
    if (before) await this.room?.replaceTrack(before, fresh);
    else if (this.media) await this.room?.publish(this.media);
    this.#announce();
    this.#fit();
  }

  #announce() {
    const { room, media } = this;
    if (media?.kind !== 'application') {
      for (const track of media?.stream.getAudioTracks() ?? []) track.enabled = this.#microphone;
      for (const track of media?.stream.getVideoTracks() ?? []) track.enabled = this.#camera;
    }
    room?.announce({ audio: this.#microphone, video: this.#camera, screen: this.#screen });
    for (const take of this.#live) if (room) take.mixer.update(this.#self(room));
    this.emit('changed');
  }

  /** Receives whom the newest recording needs at the size of their tiles, or whom people watch, or nobody. */
  #subscribe() {
    const { room } = this;
    if (!room) return;
    const newest = [...this.#live].at(-1);
    const plan = this.#beginning ?? newest?.plan;
    const all = plan?.recorder === 'all';
    const ids = [room.id, ...(all ? room.members.keys() : [])];
    const sizes =
      plan?.type === 'video' ? this.#parts.tileSizes(ids, plan, newest?.mixer.speaker ?? null) : {};
    this.#own = sizes[room.id] ?? null;
    room.subscribe(all ? atLeast({ '*': SMALLEST, ...sizes }, this.#subscriptions) : this.#subscriptions);
    this.#fit();
  }

  /** Makes our picture as large as the largest of those who show it, and no larger. */
  #fit() {
    const sizes = [this.#own, this.room?.requestedSize() ?? null].filter((size) => size !== null);
    const size = sizes.toSorted((a, b) => pixels(b) - pixels(a))[0];
    if (!size || !this.media) return;
    this.media.fit(size);
    void this.room?.refit();
  }

  /** @param {CallRoom} room @returns {Source} */
  #self(room) {
    const tracks = this.media?.stream;
    return {
      id: room.id,
      name: this.name,
      videoTrack: tracks?.getVideoTracks()[0] ?? null,
      audioTrack: tracks?.getAudioTracks()[0] ?? null,
      video: this.#camera,
      audio: this.#microphone,
      screen: this.#screen,
      remote: false,
      skew: () => Promise.resolve(0),
      resumePlayback: () => undefined,
    };
  }

  /** @template T @param {() => Promise<T>} call @returns {Promise<T>} */
  #inTurn(call) {
    const turn = this.#queue.then(call);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  /** Emits an event of a recording, and `changed`. @template {keyof RecordingEvents} Name @param {Name} name @param {RecordingEvents[Name]} detail */
  #notify(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
    this.emit('changed');
  }
}

/** @param {VideoSize} size */
const pixels = (size) => size.width * size.height * size.frameRate;

/** Returns what a recording needs of everybody, and no less than people watch. @param {Record<string, VideoSize>} needed @param {Subscriptions} watched @returns {Subscriptions} */
function atLeast(needed, watched) {
  const sizes = { ...needed };
  for (const [id, size] of Object.entries(needed)) {
    const seen = watched?.[id] ?? watched?.['*'];
    if (seen && pixels(seen) > pixels(size)) sizes[id] = seen;
  }
  return sizes;
}

/** @param {CallRoom} room @param {CallMember} member @returns {Source} */
const source = (room, member) => ({
  id: member.id,
  name: member.name,
  videoTrack: member.videoTrack,
  audioTrack: member.audioTrack,
  video: member.info.video,
  audio: member.info.audio,
  screen: member.info.screen,
  remote: true,
  skew: () => room.skew(member.id),
  resumePlayback: () => room.resumePlayback(member.id),
});
