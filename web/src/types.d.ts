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

/** What a participant brings to the room. */
interface LocalMedia {
  readonly kind: 'synthetic' | 'camera';
  readonly stream: MediaStream;
  /** The size of the picture as it is made now. */
  readonly size: PictureSize;
  setClock(offset: number): void;
  fit(size: PictureSize): void;
  close(): Promise<void>;
}

// ---- signalling -------------------------------------------------------------------------------------------------

/** Whom a member wants to receive and how large: by member id, or '*' for everybody; null: nobody. */
type Wants = Record<string, PictureSize> | null;

interface MemberInfo {
  id: string;
  name: string;
  /** The number that the member's synthetic media carry, null for real devices. */
  marker: number | null;
  audio: boolean;
  video: boolean;
  wants: Wants;
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
      ice_servers: RTCIceServer[];
    }
  | { type: 'joined'; member: MemberInfo }
  | { type: 'state'; id: string; audio: boolean; video: boolean }
  | { type: 'wants'; id: string; wants: Wants }
  | { type: 'left'; id: string; reason: string }
  | { type: 'signal'; from: string; data: SignalData }
  | { type: 'received'; from: string }
  | { type: 'pong'; sent: number; time: number }
  | { type: 'error'; name: string; code: number | null; message: string };

type ToServer =
  | {
      type: 'hello';
      token: string | null;
      room: string | null;
      name: string | null;
      code: string | null;
      media: string;
      wants: Wants;
    }
  | { type: 'ping'; sent: number }
  | { type: 'signal'; to: string; data: SignalData }
  | { type: 'state'; audio: boolean; video: boolean }
  | { type: 'wants'; wants: Wants }
  | { type: 'received'; member: string }
  | { type: 'bye' };

// ---- recording --------------------------------------------------------------------------------------------------

type RecorderKind = 'local' | 'all';

/** NERTC's recordConfig, and ours beyond it. */
interface RecordConfigOptions {
  recordType?: 'audio' | 'video';
  recordName?: string;
  recordVideoQuality?: number | string;
  recordVideoFrame?: number;
  layout?: 'grid';
  codec?: 'vp8' | 'vp9' | 'av1';
  videoBitsPerSecond?: number;
}

interface RecordOptions {
  recorder?: RecorderKind;
  recordConfig?: RecordConfigOptions;
}

/** What a RecordOptions means to this browser. */
interface RecordPlan extends PictureSize {
  recorder: RecorderKind;
  type: 'audio' | 'video';
  layout: 'grid';
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
  event: 'layout' | 'picture' | 'sound' | 'alarm';
  participant?: string;
  on?: boolean;
  tiles?: ({ participant: string } & TileRect)[];
  message?: string;
}

/** A finished recording, as the server describes it. */
interface FinishedRecording {
  id: string;
  name: string;
  size: number;
  sha256: string;
  duration: number;
}

type FromSpool =
  | { type: 'ready'; recording: string; bytes: number }
  | { type: 'ack'; bytes: number; tracks: string[] }
  | { type: 'finished'; recording: FinishedRecording }
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
    }
  /** MediaRecorder was started or stopped; page time. */
  | { type: 'started'; time: number }
  | { type: 'stopped'; time: number }
  | { type: 'ticks'; first: number; written: (number | null)[] }
  | { type: 'event'; event: RoomEvent }
  | { type: 'end'; chunks: number; bytes: number }
  | { type: 'download' }
  | { type: 'clean' };

// ---- workers ----------------------------------------------------------------------------------------------------

type SyntheticMessage =
  | {
      type: 'start';
      writable: WritableStream<VideoFrame>;
      name: string;
      marker: number;
      origin: number;
      clockOffset: number;
    }
  | ({ type: 'fit' } & PictureSize)
  | { type: 'clock'; clockOffset: number };

type ToVideoWorker =
  | ({ type: 'start'; writable: WritableStream<VideoFrame> } & PictureSize)
  | { type: 'add'; id: string; name: string; readable: ReadableStream<VideoFrame> | null }
  | { type: 'source'; id: string; readable: ReadableStream<VideoFrame> | null }
  | { type: 'remove'; id: string }
  | { type: 'show'; id: string; on: boolean }
  | { type: 'flush' }
  | { type: 'stop' };

type FromVideoWorker =
  | { type: 'ticks'; first: number; written: (number | null)[] }
  | { type: 'layout'; time: number; tiles: ({ id: string } & TileRect)[] }
  | { type: 'picture'; time: number; id: string; on: boolean }
  | { type: 'delay'; id: string; delay: number }
  | { type: 'flushed' }
  | { type: 'failed'; message: string };

// ---- what TypeScript's DOM library does not know yet ---------------------------------------------------------------

interface VideoFrame {
  /** W3C WebCodecs VideoFrame Metadata Registry; rtpTimestamp on remote frames: the sender's clock, 90 kHz. */
  metadata(): { rtpTimestamp?: number };
}
