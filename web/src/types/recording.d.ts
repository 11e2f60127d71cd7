/** A recording: NERTC's options, the plan derived from the options, and the status. */

type RecorderKind = 'local' | 'all';

type RecorderState = 'started' | 'stopped' | 'paused' | 'resumed';

type LayoutName = 'grid' | 'speaker';

interface RecordingStatus {
  state: 'none' | 'new' | 'recording' | 'paused' | 'stopped' | 'failed' | 'cleaned';
  id: string | null;
  /** Recorded time in ms, excluding pauses. */
  elapsed: number;
  bytes: number;
  bytesAcknowledged: number;
  /** The message of the last alarm, if any. */
  alarm: string | null;
}

/** NERTC's recordConfig, with our additional options. */
interface RecordConfigOptions {
  recordType?: 'audio' | 'video';
  recordName?: string;
  recordVideoQuality?: number | string;
  recordVideoFrame?: number;
  layout?: LayoutName;
  /** Whether to show names in the tiles. */
  names?: boolean;
  codec?: 'vp8' | 'vp9' | 'av1';
  videoBitsPerSecond?: number;
}

interface RecordOptions {
  recorder?: RecorderKind;
  recordConfig?: RecordConfigOptions;
}

/* eslint-disable @typescript-eslint/no-explicit-any -- NERTC's calls return undefined, and our calls return values.
   NERTC programs ignore these values. Only the return type `any` fits both kinds of calls. */

/** The recording calls under NERTC's names. The type is assignable to the Client type of NERTC's SDK. */
interface MediaRecordingCalls {
  startMediaRecording(data?: RecordOptions): Promise<any>;
  stopMediaRecording(): Promise<any>;
  downloadMediaRecording(): Promise<any>;
  cleanMediaRecording(): Promise<any>;
}

/* eslint-enable @typescript-eslint/no-explicit-any */

/** The browser's settings for a recording, derived from RecordOptions. */
interface RecordPlan extends VideoSize {
  recorder: RecorderKind;
  type: 'audio' | 'video';
  layout: LayoutName;
  names: boolean;
  codec: string;
  mimeType: string;
  videoBitsPerSecond: number;
  audioBitsPerSecond: number;
  /** The given options, with all defaults filled in. The server stores the completed options in the manifest. */
  config: RecordConfigOptions;
}

interface TileRect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The client's events about a recording. */
type RecordingEvents = {
  'recording-started': { id: string };
  'recording-paused': { id: string };
  'recording-resumed': { id: string };
  'recording-stopped': FinishedRecording;
  'recording-downloaded': FinishedRecording;
  'recording-cleaned': { id: string };
  'recording-stalled': { id: string; message: string };
  'recording-failed': { id: string; error: Error };
  /** NERTC's event for a stopped recording. */
  '@media-recording-stopped': FinishedRecording;
};

/**
 * The progress of an observation: the number of entries so far, with the latest one if it is new, and the time on the
 * room's clock in ms up to which the call has been observed.
 */
interface ObservationProgress {
  id: string;
  number: number;
  time: number;
  entry?: RoomEvent;
  ended: boolean;
}

/** Everything that was observed, and when the observation ended, in ms on the room's clock. */
interface ObservationResult {
  time: number;
  entries: RoomEvent[];
}

/** All events that the client emits; `changed` means that the page may need an update. */
type ClientEvents = RecordingEvents & { changed: void; joined: void; observation: ObservationProgress };
