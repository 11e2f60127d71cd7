/** A room's recordings: the entries in the server's list, and the results of verification. */

/** A recording in the room's list. */
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
  /** The result of `verify`; null until verification is requested. */
  result: 'verifying' | 'passed' | 'failed' | 'unverified' | null;
}

interface ReportFinding {
  check: string;
  result: 'passed' | 'warning' | 'failed' | 'unverified';
  participant: string | null;
  /** The start and end of the finding in the file, in seconds. */
  at: [number, number] | null;
  message: string;
}

/** A summary of the report: the result, the number of checks, and all findings that did not pass. */
interface ReportSummary {
  result: 'passed' | 'failed' | 'unverified';
  checks: number;
  findings: ReportFinding[];
}
