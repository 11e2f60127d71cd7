/** Client: join, leave and the recording calls. The one place that strings the stages together, through one queue. */

import { pageNow } from './clock.js';
import { invalidState } from './errors.js';
import { recordPlan } from './record-config.js';

/** How long a recording waits for everybody's picture to run smoothly before it begins, in ms. */
const SETTLE = 1500;

/**
 * @typedef {object} Parts what a client is made of; the roots build them
 * @property {() => import('./room/room.js').Room} createRoom
 * @property {(kind: string, options: {name: string, marker: number, clock: RoomClockLike}) => Promise<LocalMedia>} openMedia
 * @property {(plan: RecordPlan) => import('./mixer/mixer.js').Mixer} createMixer
 * @property {() => import('./recorder/spool.js').Spool} createSpool
 * @property {(stream: MediaStream, spool: Spool, plan: RecordPlan) => import('./recorder/recorder.js').Recorder} createRecorder
 * @property {(tiles: number, plan: RecordPlan) => PictureSize} tileSize
 * @property {(address: {url: string, name: string}) => void} download
 */

/** @typedef {import('./recorder/spool.js').Spool} Spool */

/**
 * @typedef {object} JoinOptions
 * @property {string} name of the participant
 * @property {string} [token] from the server; nobody needs one at an open door
 * @property {string} [room]
 * @property {string} [code] the join code of an open door
 * @property {'synthetic' | 'camera'} [media]
 * @property {Wants} [wants] whom to receive from the start; nobody by default
 */

/** One recording, from start to clean. */
class Take {
  /** @type {'recording' | 'stopped' | 'cleaned'} */
  state = 'recording';
  downloaded = false;
  /** @type {FinishedRecording & {stopToFileMs: number} | null} */
  finished = null;

  /**
   * @param {RecordPlan} plan
   * @param {import('./mixer/mixer.js').Mixer} mixer
   * @param {Spool} spool
   * @param {import('./recorder/recorder.js').Recorder} recorder
   */
  constructor(plan, mixer, spool, recorder) {
    this.plan = plan;
    this.mixer = mixer;
    this.spool = spool;
    this.recorder = recorder;
  }
}

/** Emits `changed` whenever something that people see is different. */
export class Client extends EventTarget {
  /** @type {'new' | 'joined' | 'left'} */
  state = 'new';
  name = '';
  /** @type {import('./room/room.js').Room | null} */
  room = null;
  /** @type {LocalMedia | null} */
  media = null;
  /** The recording that the calls are about. @type {Take | null} */
  take = null;
  /** @type {Wants} */
  #wants = null;
  #microphone = true;
  #camera = true;
  /** @type {Promise<unknown>} */
  #queue = Promise.resolve();
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

  /** @param {boolean} on */
  setMicrophone(on) {
    this.#microphone = on;
    this.#announce();
  }

  /** @param {boolean} on */
  setCamera(on) {
    this.#camera = on;
    this.#announce();
  }

  get microphone() {
    return this.#microphone;
  }

  get camera() {
    return this.#camera;
  }

  /** Whom to receive although nothing is recorded: people want to see each other. @param {Wants} wants */
  watch(wants) {
    this.#wants = wants;
    this.#subscribe();
  }

  /** @param {JoinOptions} options */
  async #join({ name, token, room, code, media = 'synthetic', wants = null }) {
    if (this.state === 'joined') throw invalidState(`${this.name} is in a room already; leave it first.`);
    const joined = this.#parts.createRoom();
    await joined.join({ token: token ?? null, room: room ?? null, name, code: code ?? null, media, wants });
    this.room = joined;
    this.name = joined.name;
    this.#wants = wants;
    for (const type of ['joined', 'left', 'track', 'state']) {
      joined.addEventListener(type, (event) => {
        this.#onMember(type, /** @type {CustomEvent<Member>} */ (event).detail);
      });
    }
    joined.addEventListener('wanted', () => this.#fit());
    joined.addEventListener('closed', () => this.#changed());
    const opened = await this.#parts.openMedia(media, {
      name: joined.name,
      marker: joined.marker,
      clock: joined.clock,
    });
    this.media = opened;
    joined.addEventListener('clock', () => opened.setClock(joined.clock.offset));
    this.#fit();
    this.state = 'joined';
    this.#changed();
    await joined.publish(opened);
    return { id: joined.id, marker: joined.marker, name: joined.name };
  }

  async #leave() {
    if (this.state !== 'joined') return;
    if (this.take?.state === 'recording') await this.#finish(this.take);
    this.state = 'left';
    this.room?.leave();
    await this.media?.close();
    this.media = null;
    this.#changed();
  }

  /** @param {RecordOptions} [data] */
  async #start(data) {
    const plan = recordPlan(data);
    const { room } = this;
    if (this.state !== 'joined' || !room) throw invalidState('Not in a room; join one before recording.');
    const old = this.take;
    /** What was downloaded by itself. @type {(FinishedRecording | null)[]} */
    const downloaded = [];
    if (old?.state === 'stopped' && !old.downloaded) downloaded.push(await this.#fetch(old));
    const take = await this.#begin(plan, room);
    this.take = take;
    if (old?.state === 'recording') {
      await this.#finish(old);
      downloaded.push(await this.#fetch(old));
    }
    if (old) await this.#free(old);
    this.#changed();
    return {
      id: take.spool.recording,
      mimeType: plan.mimeType,
      elapsed: pageNow() - take.recorder.startedAt,
      downloaded,
    };
  }

  /** @param {RecordPlan} plan @param {import('./room/room.js').Room} room */
  async #begin(plan, room) {
    this.#subscribe(plan);
    if (plan.recorder === 'all') await room.allArrived();
    const mixer = this.#parts.createMixer(plan);
    const spool = this.#parts.createSpool();
    const recorder = this.#parts.createRecorder(mixer.stream, spool, plan);
    const take = new Take(plan, mixer, spool, recorder);
    /** What happens before the server is ready is told as soon as it is. @type {(() => void)[]} */
    const early = [];
    const tell = (/** @type {() => void} */ message) => (spool.recording ? message() : early.push(message));
    mixer.addEventListener('ticks', (event) => {
      const { first, written } = /** @type {CustomEvent<{first: number, written: (number | null)[]}>} */ (
        event
      ).detail;
      tell(() => spool.ticks(first, written));
    });
    mixer.addEventListener('event', (event) => {
      const happened = /** @type {CustomEvent<RoomEvent>} */ (event).detail;
      tell(() => spool.event({ ...happened, time: room.clock.room(happened.time) }));
    });
    recorder.addEventListener('failed', (event) =>
      this.#onFailed(take, /** @type {CustomEvent<Error>} */ (event).detail),
    );
    try {
      mixer.add(this.#self(room));
      if (plan.recorder === 'all')
        for (const member of room.members.values()) mixer.add(source(room, member));
      const video = plan.type === 'video';
      await Promise.all([
        mixer.settled(SETTLE),
        spool.open({
          token: room.spoolToken,
          recording: null,
          recorder: plan.recorder,
          config: plan.config,
          mime_type: plan.mimeType,
          width: video ? plan.width : null,
          height: video ? plan.height : null,
          frame_rate: video ? plan.frameRate : null,
          clock: { offset: room.clock.offset, error: room.clock.error },
        }),
      ]);
      for (const message of early.splice(0)) message();
      await recorder.start();
      return take;
    } catch (error) {
      await mixer.close();
      spool.close();
      this.#subscribe();
      throw error;
    }
  }

  async #stop() {
    const { take } = this;
    if (take?.state !== 'recording')
      throw invalidState('Nothing is being recorded; start a recording before stopping it.');
    const finished = await this.#finish(take);
    this.#changed();
    return finished;
  }

  /** Ends a recording: the recorder, then the tick log, then the server's finishing. @param {Take} take */
  async #finish(take) {
    const begun = pageNow();
    take.state = 'stopped';
    try {
      await take.recorder.stop();
      await take.mixer.flush();
      const finished = await take.spool.end();
      take.finished = { ...finished, stopToFileMs: pageNow() - begun };
      return take.finished;
    } finally {
      await take.mixer.close();
      if (take === this.take) this.#subscribe();
    }
  }

  async #download() {
    const { take } = this;
    if (!take || take.state === 'cleaned') {
      throw invalidState('Nothing has been recorded; start and stop a recording before downloading it.');
    }
    if (take.state === 'recording') await this.#finish(take);
    return this.#fetch(take);
  }

  /** @param {Take} take */
  async #fetch(take) {
    const address = await take.spool.address();
    const sent = take.spool.sent();
    this.#parts.download(address);
    await sent;
    take.downloaded = true;
    this.#changed();
    return take.finished;
  }

  async #clean() {
    const { take } = this;
    if (!take) return;
    if (take.state === 'recording') await this.#finish(take);
    await this.#free(take);
    this.#changed();
  }

  /** @param {Take} take */
  async #free(take) {
    if (take.state === 'cleaned') return;
    take.state = 'cleaned';
    await take.spool.clean();
    take.spool.close();
  }

  /** @param {Take} take @param {Error} error */
  #onFailed(take, error) {
    if (take.state !== 'recording') return;
    take.state = 'cleaned';
    void take.mixer.close();
    this.dispatchEvent(new CustomEvent('recording-failed', { detail: error }));
    this.#changed();
  }

  /** @param {string} type @param {Member} member */
  #onMember(type, member) {
    const { take, room } = this;
    if (take?.state === 'recording' && take.plan.recorder === 'all' && room) {
      if (type === 'left') take.mixer.remove(member.id);
      else if (type === 'joined') take.mixer.add(source(room, member));
      else take.mixer.update(source(room, member));
      if (type === 'joined' || type === 'left') this.#subscribe(take.plan);
    }
    this.#changed();
  }

  #announce() {
    const { take, room, media } = this;
    for (const track of media?.stream.getAudioTracks() ?? []) track.enabled = this.#microphone;
    for (const track of media?.stream.getVideoTracks() ?? []) track.enabled = this.#camera;
    room?.announce(this.#microphone, this.#camera);
    if (take?.state === 'recording' && room) take.mixer.update(this.#self(room));
    this.#changed();
  }

  /** Receives whom the recording needs at the size of their tiles, or whom people watch, or nobody. @param {RecordPlan} [plan] */
  #subscribe(plan = this.take?.state === 'recording' ? this.take.plan : undefined) {
    const { room } = this;
    if (!room) return;
    const tile =
      plan && plan.type === 'video'
        ? this.#parts.tileSize(plan.recorder === 'all' ? room.members.size + 1 : 1, plan)
        : null;
    const all = plan?.recorder === 'all';
    // Sound alone still needs a subscription; the smallest picture costs least.
    if (all) room.want({ '*': tile ?? { width: 160, height: 90, frameRate: 15 } });
    else room.want(this.#wants);
    this.#own = tile;
    this.#fit();
  }

  /** The size at which our own recording shows us. @type {PictureSize | null} */
  #own = null;

  /** Makes our picture as large as the largest of those who show it, and no larger. */
  #fit() {
    const sizes = [this.#own, this.room?.wantedSize() ?? null].filter((size) => size !== null);
    const size = sizes.toSorted(
      (a, b) => b.width * b.height * b.frameRate - a.width * a.height * a.frameRate,
    )[0];
    if (!size || !this.media) return;
    this.media.fit(size);
    void this.room?.refit();
  }

  /** @param {import('./room/room.js').Room} room @returns {import('./mixer/mixer.js').Source} */
  #self(room) {
    const tracks = this.media?.stream;
    return {
      id: room.id,
      name: this.name,
      videoTrack: tracks?.getVideoTracks()[0] ?? null,
      audioTrack: tracks?.getAudioTracks()[0] ?? null,
      video: this.#camera,
      audio: this.#microphone,
      remote: false,
      skew: () => Promise.resolve(0),
    };
  }

  /** @template T @param {() => Promise<T>} call @returns {Promise<T>} */
  #inTurn(call) {
    const turn = this.#queue.then(call);
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  #changed() {
    this.dispatchEvent(new Event('changed'));
  }
}

/** @param {import('./room/room.js').Room} room @param {Member} member @returns {import('./mixer/mixer.js').Source} */
const source = (room, member) => ({
  id: member.id,
  name: member.name,
  videoTrack: member.videoTrack,
  audioTrack: member.audioTrack,
  video: member.info.video,
  audio: member.info.audio,
  remote: true,
  skew: () => room.skew(member.id),
});

/** @typedef {import('./room/room.js').Member} Member */
