/** The shapes that cross a boundary: page and server, window and worker, stage and stage. */

interface PictureSize {
  /** Pixels. */
  width: number;
  height: number;
  /** Frames a second. */
  frameRate: number;
}

interface RoomClockLike {
  offset: number;
  error: number;
  room(page?: number): number;
}

/** Which camera and microphone, by deviceId; the browser's choice where one is left out. */
interface DeviceIds {
  audio?: string | undefined;
  video?: string | undefined;
}

/** What a participant brings to the room. */
interface LocalMedia {
  readonly kind: 'synthetic' | 'camera' | 'video-file' | 'application';
  readonly stream: MediaStream;
  /** The size of the picture as it is made now. */
  readonly size: PictureSize;
  setClock(offset: number): void;
  fit(size: PictureSize): void;
  /** Puts the screen, or the camera again, in the picture's place; the fresh track is in `stream`. */
  share(on: boolean): Promise<MediaStreamTrack>;
  /** Takes another device, by its id if one is given; the fresh track is in `stream`, the old one is not. */
  replace(kind: 'audio' | 'video', deviceId?: string): Promise<MediaStreamTrack>;
  /** Raises the voice, or lowers it to normal; fails for media that are not synthetic. */
  setSpeaking(on: boolean): void;
  close(): Promise<void>;
}

// ---- signalling -------------------------------------------------------------------------------------------------

/** Whom a member wants to receive and how large: by member id, or '*' for everybody; null: nobody. */
type Subscriptions = Record<string, PictureSize> | null;

interface MemberInfo {
  id: string;
  name: string;
  /** The number that the member's synthetic media carry, null for real devices. */
  marker: number | null;
  audio: boolean;
  video: boolean;
  /** Whether the picture is their screen. */
  screen: boolean;
  subscriptions: Subscriptions;
}

/** What a Janus wants to know: where it is, who may use it, and which room it is there, by number and name. */
interface SfuAccess {
  url: string;
  token: string | null;
  room: number;
  name: string;
  /** Which of several servers that share the Janus ours is. */
  server: string;
}

interface SignalData {
  description?: RTCSessionDescriptionInit;
  candidate?: RTCIceCandidateInit;
}

type FromServer =
  | {
      type: 'welcome';
      id: string;
      room: string;
      /** Ours, made unlike everybody else's. */
      name: string;
      marker: number;
      members: MemberInfo[];
      spool_token: string;
      /** With what a lost connection is taken up again. */
      resume: string;
      ice_servers: RTCIceServer[];
      ice_policy: RTCIceTransportPolicy;
      /** By what SFU media go; null: from page to page. */
      sfu: SfuAccess | null;
      /** What was recorded in the room, the newest first; null where the server keeps no list. */
      recordings: LibraryItem[] | null;
    }
  /** The answer to a viewer, who is not in the room: a token for the room's recordings, and their list. */
  | { type: 'viewing'; room: string; token: string; recordings: LibraryItem[] }
  | { type: 'recordings'; recordings: LibraryItem[] }
  /** The connection goes on; `acked_seq` of our messages have reached the server. */
  | { type: 'resumed'; acked_seq: number }
  | { type: 'joined'; member: MemberInfo }
  | { type: 'state'; id: string; audio: boolean; video: boolean; screen: boolean; connected: boolean }
  | { type: 'subscribe'; id: string; subscriptions: Subscriptions }
  | { type: 'left'; id: string; reason: string }
  | { type: 'signal'; from: string; data: SignalData }
  | { type: 'received'; from: string }
  | { type: 'pong'; sent: number; time: number; acked_seq: number }
  | { type: 'error'; name: string; code: number | null; message: string };

type ToServer =
  | {
      type: 'hello';
      /** Whether somebody comes into the room, or looks at its recordings; comes by default. */
      role?: 'participant' | 'viewer';
      token: string | null;
      room: string | null;
      name: string | null;
      code: string | null;
      media: string;
      subscriptions: Subscriptions;
      resume?: string;
      /** How many of the server's messages we have received. */
      received_seq?: number;
    }
  | { type: 'ping'; sent: number; received_seq: number }
  | { type: 'signal'; to: string; data: SignalData }
  | { type: 'state'; audio: boolean; video: boolean; screen: boolean; connected?: boolean }
  | { type: 'subscribe'; subscriptions: Subscriptions }
  | { type: 'received'; member: string }
  /** Our number is another one than the welcome said: somebody of another server has that. */
  | { type: 'marker'; marker: number }
  | { type: 'bye' };

// ---- recording --------------------------------------------------------------------------------------------------

type RecorderKind = 'local' | 'all';

type RecorderState = 'started' | 'stopped' | 'paused' | 'resumed';

type LayoutName = 'grid' | 'speaker';

interface RecordingStatus {
  state: 'none' | 'new' | 'recording' | 'paused' | 'stopped' | 'failed' | 'cleaned';
  id: string | null;
  /** Recorded time in ms, pauses cut out. */
  elapsed: number;
  bytes: number;
  bytesAcknowledged: number;
  /** What last stalled, if anything did. */
  alarm: string | null;
}

/** When the mixer wrote its ticks from number `first` on: page times, null for a tick that was given up. */
interface TickLog {
  first: number;
  written: (number | null)[];
}

/** NERTC's recordConfig, and ours beyond it. */
interface RecordConfigOptions {
  recordType?: 'audio' | 'video';
  recordName?: string;
  recordVideoQuality?: number | string;
  recordVideoFrame?: number;
  layout?: LayoutName;
  /** Whether names stand in the tiles. */
  names?: boolean;
  codec?: 'vp8' | 'vp9' | 'av1';
  videoBitsPerSecond?: number;
}

interface RecordOptions {
  recorder?: RecorderKind;
  recordConfig?: RecordConfigOptions;
}

/* eslint-disable @typescript-eslint/no-explicit-any -- NERTC's calls answer undefined, ours answer facts that its
   programs never look at; no other type fits both. */

/** The recording calls by NERTC's names, assignable to those of its SDK's own Client. */
interface MediaRecordingCalls {
  startMediaRecording(data?: RecordOptions): Promise<any>;
  stopMediaRecording(): Promise<any>;
  downloadMediaRecording(): Promise<any>;
  cleanMediaRecording(): Promise<any>;
}

/* eslint-enable @typescript-eslint/no-explicit-any */

/** What a RecordOptions means to this browser. */
interface RecordPlan extends PictureSize {
  recorder: RecorderKind;
  type: 'audio' | 'video';
  layout: LayoutName;
  names: boolean;
  codec: string;
  mimeType: string;
  videoBitsPerSecond: number;
  audioBitsPerSecond: number;
  /** The options as given, with every default filled in; what the server keeps in the manifest. */
  config: RecordConfigOptions;
}

interface TileRect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** One thing that happened while recording; `time` is in ms on the room's clock. */
interface RoomEvent {
  time: number;
  event: 'layout' | 'video' | 'audio' | 'network' | 'alarm' | 'join' | 'leave';
  participant?: string;
  /** Whether the participant joins or leaves by way of another server; `marker` is the number of their synthetic media. */
  remote_server?: boolean;
  marker?: number | null;
  on?: boolean;
  tiles?: ({ participant: string } & TileRect)[];
  message?: string;
}

/** One of WebRTC's statistics, by the W3C's names. */
type Statistic = Record<string, string | number | boolean>;

/** What WebRTC says of the connection to a participant; `time` is in ms on the room's clock. */
interface ConnectionStatistics {
  time: number;
  participant: string;
  report: Statistic[];
}

/** A finished recording, as the server describes it. */
interface FinishedRecording {
  id: string;
  name: string;
  size: number;
  /** null for a moment after the stop of a large file: its hash follows, and is there before a download. */
  sha256: string | null;
  duration: number;
}

/** A recording that the server keeps for the people in the room. */
interface LibraryItem {
  id: string;
  name: string;
  /** Who recorded it. */
  participant: string;
  recorder: RecorderKind;
  state: 'recording' | 'published' | 'failed';
  /** Why there will be no file. */
  reason: string | null;
  /** Seconds, bytes and pixels; null until it is published. */
  duration: number | null;
  size: number | null;
  height: number | null;
  /** The result of `verify`; null until somebody asks for it. */
  result: 'verifying' | 'passed' | 'failed' | null;
}

interface VerdictFinding {
  check: string;
  ok: boolean;
  participant: string | null;
  /** Seconds of the file. */
  at: [number, number] | null;
  message: string;
  warning: boolean;
}

/** What the judge says: of how many checks, and what failed or is worth reading. */
interface VerdictReport {
  ok: boolean;
  checks: number;
  findings: VerdictFinding[];
}

type FromSpool =
  /** `acked_seq`: how many messages the server has received since the beginning; `resume`: the token for a reconnect. */
  | { type: 'ready'; recording: string; resume: string; bytes: number; acked_seq: number }
  | { type: 'ack'; bytes: number; acked_seq: number; tracks: string[] }
  /** How many of the frames written before the recorder was stopped have not arrived; null if unknown. */
  | { type: 'outstanding'; frames: number | null }
  | { type: 'finished'; recording: FinishedRecording }
  /** Follows where the file was too large to be hashed at once. */
  | { type: 'hashed'; sha256: string }
  /** Something that the server noticed and has noted already. */
  | { type: 'alarm'; message: string }
  | { type: 'address'; url: string; name: string }
  | { type: 'sent'; bytes: number }
  | { type: 'cleaned' }
  | { type: 'error'; name: string; code: number | null; message: string };

type ToSpool =
  | {
      type: 'hello';
      token: string;
      /** null begins a recording; an id resumes one after a reconnect. */
      recording: string | null;
      recorder: RecorderKind;
      config: RecordConfigOptions;
      mime_type: string;
      width: number | null;
      height: number | null;
      frame_rate: number | null;
      clock: { offset: number; error: number };
      /** Whether join and leave events come from the server's rooms; otherwise this page sends them. */
      presence_from_server: boolean;
    }
  | { type: 'recorder'; state: RecorderState; time: number }
  | ({ type: 'ticks' } & TickLog)
  | { type: 'event'; event: RoomEvent }
  | ({ type: 'stats' } & ConnectionStatistics)
  | { type: 'outstanding' }
  | { type: 'end'; chunks: number; bytes: number }
  | { type: 'download' }
  | { type: 'clean' };

// ---- somebody else's page ------------------------------------------------------------------------------------------

/** What Python writes before hooks.js. */
interface AttachOptions {
  /** Our server's address, a secret that opens its sockets from here, and the token to join with. */
  url: string;
  key: string;
  token: string;
  /** Whether the page's cameras are synthetic, a video file, or the browser's own. */
  media: 'synthetic' | 'video-file' | 'own';
  /** The path of the video file on our server. */
  videoFile: string | null;
}
declare const HARNESS: AttachOptions;

/** Answers in the place of navigator.mediaDevices. */
interface AppCamera {
  open(constraints?: MediaStreamConstraints): MediaStream;
  devices(): MediaDeviceInfo[];
  share(): Promise<MediaStream>;
}

/** What hooks.js leaves on the page, by Symbol.for('recording-harness'). */
interface AppHooks extends EventTarget {
  connections: Set<RTCPeerConnection>;
  /** What streams a track was announced with, of whatever has been received. */
  streams: WeakMap<RTCRtpReceiver, readonly MediaStream[]>;
  camera: AppCamera | null;
  wake(): Promise<AttachedPage>;
}

/** What Python drives (entry/python.js). */
interface AttachedPage {
  begin(name: string, argument: unknown): number;
  finish(number: number): Promise<unknown>;
  call(name: string, argument: unknown): Promise<unknown>;
}

// ---- workers ----------------------------------------------------------------------------------------------------

type SyntheticMessage =
  | {
      type: 'start';
      writable: WritableStream<VideoFrame>;
      name: string;
      marker: number;
      origin: number;
      clockOffset: number;
      screen: boolean;
      size: PictureSize;
    }
  | ({ type: 'fit' } & PictureSize)
  | { type: 'clock'; clockOffset: number };

type ToVideoWorker =
  | ({
      type: 'start';
      writable: WritableStream<VideoFrame>;
      layout: LayoutName;
      names: boolean;
    } & PictureSize)
  | { type: 'add'; id: string; name: string; remote: boolean; readable: ReadableStream<VideoFrame> | null }
  | { type: 'source'; id: string; readable: ReadableStream<VideoFrame> | null }
  | { type: 'remove'; id: string }
  | { type: 'show'; id: string; on: boolean }
  | { type: 'speaker'; id: string | null }
  | { type: 'flush' }
  | { type: 'nextTick' }
  | { type: 'stop' };

type FromVideoWorker =
  | ({ type: 'ticks' } & TickLog)
  | { type: 'layout'; time: number; tiles: ({ id: string } & TileRect)[] }
  | { type: 'video'; time: number; id: string; on: boolean }
  | { type: 'delay'; id: string; delay: number }
  | { type: 'alarm'; time: number; id: string; message: string }
  | { type: 'flushed' }
  | { type: 'ticked' }
  | { type: 'failed'; message: string };

// ---- what TypeScript's DOM library does not know yet ---------------------------------------------------------------

interface VideoFrame {
  /** W3C WebCodecs VideoFrame Metadata Registry; rtpTimestamp on remote frames: the sender's clock, 90 kHz. */
  metadata(): { rtpTimestamp?: number };
}

/** The sound system's own thread has a scope of its own, which TypeScript's library for pages leaves out. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: { buffer: SharedArrayBuffer } }) => AudioWorkletProcessor,
): void;
