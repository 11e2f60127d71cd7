/** The recordings of a room as the server lists and verifies them. */

/** A recording that the server has published in the room. */
interface LibraryItem {
  id: string;
  name: string;
  /** The recording participant. */
  participant: string;
  recorder: RecorderKind;
  state: 'recording' | 'published' | 'failed';
  /** Why there is no file. */
  reason: string | null;
  /** Seconds, bytes and pixels; null until it is published. */
  duration: number | null;
  size: number | null;
  height: number | null;
  /** The result of `verify`; null until somebody asks for it. */
  result: 'verifying' | 'passed' | 'failed' | null;
}

interface ReportFinding {
  check: string;
  ok: boolean;
  participant: string | null;
  /** Seconds of the file. */
  at: [number, number] | null;
  message: string;
  warning: boolean;
}

/** The report of `verify` in short: the number of checks, and the findings that failed or are worth reading. */
interface ReportSummary {
  ok: boolean;
  checks: number;
  findings: ReportFinding[];
}
