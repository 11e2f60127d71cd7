/** The two interfaces of a room: CallRoom is what the client uses, Transport is what our own room uses. */

/** Somebody else in the call, and the tracks that arrived from them. */
interface CallParticipant {
  readonly id: string;
  readonly name: string;
  readonly info: MemberInfo;
  readonly videoTrack: MediaStreamTrack | null;
  readonly audioTrack: MediaStreamTrack | null;
}

/** A join or leave event that the recording takes from the page, since the server doesn't know of it. */
type PresenceEntry = Omit<RoomEvent, 'time'> & { event: 'join' | 'leave'; participant: string };

/** What a room emits. */
type CallRoomEvents = {
  joined: CallParticipant;
  left: CallParticipant;
  /** Another track has arrived from a participant. */
  track: CallParticipant;
  /** A participant's microphone, camera or screen was switched on or off. */
  state: CallParticipant;
  /** A participant's first frame and audio have arrived. */
  received: CallParticipant;
  disconnected: CallParticipant;
  reconnected: CallParticipant;
  presence: PresenceEntry;
  /** Somebody subscribed to us at another size. */
  requested: void;
  /** The estimate of the room's clock has improved. */
  clock: void;
  /** The list of the room's recordings has changed. */
  recordings: void;
  /** The connection to the server is lost, is back, or has ended for good. */
  lost: void;
  resumed: void;
  closed: void;
};

/** A room as the client uses it: our own room, or the call of another application seen from its page. */
interface CallRoom extends Emitter<CallRoomEvents> {
  readonly id: string;
  readonly name: string;
  /** The number that our synthetic media carry. */
  readonly marker: number;
  readonly clock: RoomClockLike;
  readonly spoolToken: string;
  /** The room's recordings, newest first; null if the server keeps no list. */
  readonly recordings: LibraryItem[] | null;
  readonly participants: ReadonlyMap<string, CallParticipant>;
  /** Whether join and leave events come from the server; otherwise the room emits all of them as `presence`. */
  readonly presenceFromServer: boolean;
  join(hello: Omit<Extract<ToServer, { type: 'hello' }>, 'type'>): Promise<void>;
  /** Sends the media to every subscriber; resolves when all of them have received the first frame and audio. */
  publish(media: LocalMedia, timeout?: number): Promise<void>;
  subscribe(subscriptions: Subscriptions): void;
  /** The largest size at which somebody subscribes to us; null if nobody does. */
  requestedSize(): VideoSize | null;
  /** Adapts what is sent to the current size of the published video. */
  refit(): Promise<void>;
  replaceTrack(old: MediaStreamTrack, fresh: MediaStreamTrack): Promise<void>;
  announce(state: { audio: boolean; video: boolean; screen: boolean }): void;
  /** Throws an InvalidStateError if there is nothing to record. */
  checkRecordable(): void;
  /** Resolves when everybody we subscribe to has arrived; fails with a StepTimeout that names who has not. */
  allReceived(): Promise<void>;
  /** Returns the join events of a recording that starts now: of the whole call, or of ourselves alone. */
  presence(recorder: RecorderKind): PresenceEntry[];
  /** Returns how much later a participant's audio arrives than their video, in ms; null if WebRTC doesn't know. */
  skew(id: string): Promise<number | null>;
  /** Plays a participant's audio again after the audio system was suspended. */
  resumePlayback(id: string): void;
  statistics(): Promise<Omit<ConnectionStatistics, 'time'>[]>;
  leave(): void;
}

/** Returns the current size of the published video. */
type PublishedSize = () => VideoSize;

/** We, as a transport lets us in; `taken` holds the markers of the others. */
interface Entrant {
  name: string;
  marker: number;
  synthetic: boolean;
  subscriptions: Subscriptions;
  taken: (number | null)[];
}

/** What a transport emits; the last three are about participants who joined by way of another server. */
type TransportEvents = {
  track: { id: string; track: MediaStreamTrack };
  state: { id: string; state: RTCPeerConnectionState };
  joined: MemberInfo;
  updated: MemberInfo;
  left: string;
};

/** How media travel between the participants of our own room: from page to page, or through an SFU. */
interface Transport extends Emitter<TransportEvents> {
  /** Enters; returns a marker that nobody else has, ours if it is free. */
  enter(entrant: Entrant): Promise<number>;
  subscribe(subscriptions: Subscriptions): void;
  announce(state: { audio: boolean; video: boolean; screen: boolean }): void;
  publish(stream: MediaStream, size: PublishedSize): Promise<void>;
  /** A participant subscribes to us at this size; null: no longer. */
  setRequestedSize(id: string, size: VideoSize | null): Promise<void>;
  refit(): Promise<void>;
  /** Handles a description or candidate that the server forwarded from a participant. */
  handleSignal(from: string, data: SignalData): Promise<void>;
  replaceTrack(old: MediaStreamTrack, fresh: MediaStreamTrack): Promise<void>;
  /** Closes the connection to a participant who left. */
  remove(id: string): void;
  /** Returns how long a participant's video and audio take to arrive, in ms by kind; only their difference is exact. */
  travelTimes(id: string): Partial<Record<string, number>>;
  resumePlayback(id: string): void;
  stats(id: string): Promise<RTCStatsReport | null>;
  /** Reconnects at once what a network failure has disconnected. */
  reconnect(): void;
  close(): void;
}

interface TransportOptions {
  id: string;
  configuration: RTCConfiguration;
  sfu: SfuAccess | null;
  send: (to: string, data: SignalData) => void;
}

/** An EventTarget with typed details; its class is in shared/events.js. */
type Emitter<Events extends object> = import('../shared/events.js').Emitter<Events>;
