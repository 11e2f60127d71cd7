/** The recordings of a room as the server lists and verifies them. */

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
