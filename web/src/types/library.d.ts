/** The recordings of a room, as the server lists and verifies them. */

/** A recording that the server has published in the room. */
interface LibraryItem {
  id: string;
  name: string;
  /** The recording participant. */
  participant: string;
  recorder: RecorderKind;
  state: 'recording' | 'published' | 'failed';
  /** The reason why there is no file. */
  reason: string | null;
  /** Duration in seconds, size in bytes and height in pixels; null until the recording is published. */
  duration: number | null;
  size: number | null;
  height: number | null;
  /** The result of `verify`; null until it is requested. */
  result: 'verifying' | 'passed' | 'failed' | null;
}

interface ReportFinding {
  check: string;
  ok: boolean;
  participant: string | null;
  /** Start and end in the file, in seconds. */
  at: [number, number] | null;
  message: string;
  warning: boolean;
}

/** A summary of the report: the number of checks, the findings that failed, and the warnings. */
interface ReportSummary {
  ok: boolean;
  checks: number;
  findings: ReportFinding[];
}
