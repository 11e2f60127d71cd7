/** A recording: NERTC's options, what they mean to this browser, and its status. */

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
interface RecordPlan extends VideoSize {
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

/** What the client emits about a recording. */
type RecordingEvents = {
  'recording-started': { id: string };
  'recording-paused': { id: string };
  'recording-resumed': { id: string };
  'recording-stopped': FinishedRecording;
  'recording-downloaded': FinishedRecording;
  'recording-cleaned': { id: string };
  'recording-stalled': { id: string; message: string };
  'recording-failed': { id: string; error: Error };
  /** NERTC's own event for a recording that was stopped. */
  '@media-recording-stopped': FinishedRecording;
};

/** Everything that the client emits: `changed` whenever the page may have to be drawn again. */
type ClientEvents = RecordingEvents & { changed: void; joined: void };
