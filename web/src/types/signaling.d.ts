/** The messages of the /signal socket; docs/protocol.md describes them, harness/server/rooms/messages.py checks them. */

interface RoomClockLike {
  offset: number;
  error: number;
  room(page?: number): number;
}

/** Whom a participant subscribes to, and at which size: by member id, or '*' for everybody; null: nobody. */
type Subscriptions = Record<string, VideoSize> | null;

interface MemberInfo {
  id: string;
  name: string;
  /** The number that the member's synthetic media carry, null for real devices. */
  marker: number | null;
  audio: boolean;
  video: boolean;
  /** Whether the video is their screen. */
  screen: boolean;
  subscriptions: Subscriptions;
}

/** How to reach Janus: its address, a token, and the number and name of the room there. */
interface SfuAccess {
  url: string;
  token: string | null;
  room: number;
  name: string;
  /** The id of our server among those that share this Janus. */
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
      /** Our own name, made unique in the room. */
      name: string;
      marker: number;
      members: MemberInfo[];
      spool_token: string;
      /** The token that resumes a lost connection. */
      resume: string;
      ice_servers: RTCIceServer[];
      ice_policy: RTCIceTransportPolicy;
      /** The SFU that forwards the media; null: they go from page to page. */
      sfu: SfuAccess | null;
      /** The recordings of the room, newest first; null if the server keeps no list. */
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
      /** Whether somebody joins the room, or views its recordings; joins by default. */
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
  /** Our marker differs from the welcome's: a participant of another server has that one. */
  | { type: 'marker'; marker: number }
  | { type: 'bye' };
