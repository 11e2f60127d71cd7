/**
 * The messages on the /spool socket. docs/protocol.md describes them, and harness/server/spool/messages.py checks them.
 */

/** When the mixer wrote each tick, on the page's clock, starting with tick number `first`; null for a skipped tick. */
interface TickLog {
  first: number;
  written: (number | null)[];
}

/** An event in a recording's timeline; `time` is in ms on the room's clock. */
interface RoomEvent {
  time: number;
  event:
    'layout' | 'video' | 'audio' | 'network' | 'alarm' | 'join' | 'leave' | 'identified' | 'call' | 'track';
  participant?: string;
  /** For `identified`: the participant's previous name. */
  was?: string;
  /**
   * For `track`, and for `video` and `audio` events about a participant's extra tracks: the label of the track, for
   * example "camera" or "screen".
   */
  track?: string;
  /** For `track`: the track's kind. */
  kind?: 'audio' | 'video';
  /** Whether the participant joined through another server; `marker` is the number in their synthetic media. */
  remote_server?: boolean;
  marker?: number | null;
  on?: boolean;
  tiles?: ({ participant: string; track?: string } & TileRect)[];
  message?: string;
}

/** One entry of WebRTC's statistics, with the W3C's field names. */
type Statistic = Record<string, string | number | boolean>;

/** WebRTC's statistics for the connection to a participant; `time` is in ms on the room's clock. */
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
  /**
   * null at first if the file is large. The hash of a large file follows soon after the recording is stopped, and
   * before any download.
   */
  sha256: string | null;
  duration: number;
}

/**
 * What a page does differently because its Chrome was not started with the harness's command-line switches, or because
 * the page is not cross-origin isolated. In the fallback `shared-memory`, threads exchange audio as messages, and workers
 * wait with timers. In the fallback `gc`, the page allocates memory to make Chrome collect garbage. In the fallback
 * `user-activation`, Python has simulated a user gesture so that audio starts.
 */
type FallbackName = 'shared-memory' | 'gc' | 'user-activation';

type FromSpool =
  /**
   * `acked_seq` is the number of messages that the server has received since the recording began, and `resume` is the
   * token for a reconnect.
   */
  | { type: 'ready'; recording: string; resume: string; bytes: number; acked_seq: number }
  | { type: 'ack'; bytes: number; acked_seq: number; tracks: string[] }
  /**
   * The number of frames that were written before the recorder was stopped but have not reached the server yet; null if
   * unknown.
   */
  | { type: 'outstanding'; frames: number | null }
  | { type: 'finished'; recording: FinishedRecording }
  /** Sent after `finished` if the file was too large to be hashed at once. */
  | { type: 'hashed'; sha256: string }
  /** An alarm that the server has raised and already logged. */
  | { type: 'alarm'; message: string }
  | { type: 'address'; url: string; name: string }
  /**
   * The outcome of a download: null after the server has sent the last byte, or the reason why the browser did not
   * download the file.
   */
  | { type: 'delivery'; failure: string | null }
  | { type: 'cleaned' }
  | { type: 'error'; name: string; code: number | null; message: string };

type ToSpool =
  | {
      type: 'hello';
      token: string;
      /** null to begin a recording; a recording's id to resume it after a reconnect. */
      recording: string | null;
      recorder: RecorderKind;
      config: RecordConfigOptions;
      mime_type: string;
      width: number | null;
      height: number | null;
      frame_rate: number | null;
      clock: { offset: number; error: number };
      /** Whether the server provides the join and leave events; otherwise, this page sends them. */
      presence_from_server: boolean;
      fallbacks: readonly FallbackName[];
    }
  | { type: 'recorder'; state: RecorderState; time: number }
  | ({ type: 'ticks' } & TickLog)
  | { type: 'event'; event: RoomEvent }
  | ({ type: 'stats' } & ConnectionStatistics)
  | { type: 'outstanding' }
  | { type: 'end'; chunks: number; bytes: number }
  | { type: 'download' }
  /** Requests the outcome of the download whose URL was requested last. */
  | { type: 'delivery' }
  | { type: 'clean' };
