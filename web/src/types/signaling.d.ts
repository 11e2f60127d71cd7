/**
 * The messages on the /signal socket. docs/protocol.md describes them, and harness/server/rooms/messages.py checks
 * them.
 */

interface RoomClockLike {
  offset: number;
  error: number;
  room(page?: number): number;
}

/**
 * A participant's subscriptions: sizes by participant id, or by '*' for all participants; null for no subscriptions.
 */
type Subscriptions = Record<string, VideoSize> | null;

interface MemberInfo {
  id: string;
  name: string;
  /** The number in the markers of the participant's synthetic media; null for real devices. */
  marker: number | null;
  audio: boolean;
  video: boolean;
  /** Whether the video is the participant's screen. */
  screen: boolean;
  subscriptions: Subscriptions;
  /** The fingerprints of the certificates of an attached page's connections; other pages announce none. */
  fingerprints?: readonly string[];
}

/** Access to Janus: the server's URL, a token, and the number and name of the room on the server. */
interface SfuAccess {
  url: string;
  token: string | null;
  room: number;
  name: string;
  /** The id of our server, which differs from the ids of other servers that use the same Janus server. */
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
      /** Our own name, which the server has made unique in the room. */
      name: string;
      marker: number;
      members: MemberInfo[];
      spool_token: string;
      /** The token that resumes a lost connection. */
      resume: string;
      ice_servers: RTCIceServer[];
      ice_policy: RTCIceTransportPolicy;
      /** The SFU that forwards the media; null if media is sent from page to page. */
      sfu: SfuAccess | null;
      /** The room's recordings, newest first; null if the server keeps no list. */
      recordings: LibraryItem[] | null;
    }
  /**
   * The answer to a viewer, who does not join the room: a token for the room's recordings, and the list of recordings.
   */
  | { type: 'viewing'; room: string; token: string; recordings: LibraryItem[] }
  | { type: 'recordings'; recordings: LibraryItem[] }
  /** The connection has been resumed. `acked_seq` is the number of our messages that have reached the server. */
  | { type: 'resumed'; acked_seq: number }
  | { type: 'joined'; member: MemberInfo }
  | {
      type: 'state';
      id: string;
      audio: boolean;
      video: boolean;
      screen: boolean;
      connected: boolean;
      fingerprints?: readonly string[];
    }
  | { type: 'subscribe'; id: string; subscriptions: Subscriptions }
  | { type: 'left'; id: string; reason: string }
  | { type: 'signal'; from: string; data: SignalData }
  | { type: 'received'; from: string }
  | { type: 'pong'; sent: number; time: number; acked_seq: number }
  | { type: 'error'; name: string; code: number | null; message: string };

type ToServer =
  | {
      type: 'hello';
      /** Whether the client joins the room (the default) or views its recordings. */
      role?: 'participant' | 'viewer';
      token: string | null;
      room: string | null;
      name: string | null;
      code: string | null;
      media: string;
      subscriptions: Subscriptions;
      resume?: string;
      /** Number of the server's messages that we have received. */
      received_seq?: number;
    }
  | { type: 'ping'; sent: number; received_seq: number }
  | { type: 'signal'; to: string; data: SignalData }
  | {
      type: 'state';
      audio: boolean;
      video: boolean;
      screen: boolean;
      connected?: boolean;
      fingerprints?: readonly string[];
    }
  | { type: 'subscribe'; subscriptions: Subscriptions }
  | { type: 'received'; member: string }
  /**
   * Announces that we use a different marker from the one in the welcome message, since a participant from another
   * server already uses that marker.
   */
  | { type: 'marker'; marker: number }
  | ({ type: 'late-frames' } & LateFrames)
  | { type: 'bye' };
