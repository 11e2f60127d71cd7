/** The interfaces of rooms and transports: the client uses CallRoom, and our own room uses Transport. */

/** Another participant in the call, and the tracks that we receive from them. */
interface CallParticipant {
  readonly id: string;
  readonly name: string;
  readonly info: MemberInfo;
  readonly videoTrack: MediaStreamTrack | null;
  readonly audioTrack: MediaStreamTrack | null;
  /** The markers in both tracks; undefined in our own room, where the server knows them. */
  readonly markers?: TrackMarkers;
  /** More tracks in another application's call, for example a shared screen. */
  readonly extras?: readonly ExtraTracks[];
}

/** The number of the marker in each track: null for a track without a marker, undefined if it is unknown. */
interface TrackMarkers {
  video: number | null | undefined;
  audio: number | null | undefined;
}

/** Tracks that a participant sends in addition to the camera and the microphone. */
interface ExtraTracks {
  /** A label that is unique among the participant's tracks, for example "screen", "screen 2" or "audio 2". */
  readonly label: string;
  readonly videoTrack: MediaStreamTrack | null;
  readonly audioTrack: MediaStreamTrack | null;
  readonly markers: TrackMarkers;
}

/**
 * An event that the page adds to the recording, since the server doesn't know about the event: a participant joined,
 * left or was identified, or the page entered or left the call.
 */
type PresenceEntry = Omit<RoomEvent, 'time'> & { event: 'join' | 'leave' | 'identified' | 'call' };

/** The events that a room emits. */
type CallRoomEvents = {
  joined: CallParticipant;
  left: CallParticipant;
  /** A new track has arrived from a participant. */
  track: CallParticipant;
  /** A participant's microphone, camera or screen was switched on or off. */
  state: CallParticipant;
  /** A participant's first frame and audio have arrived. */
  received: CallParticipant;
  disconnected: CallParticipant;
  reconnected: CallParticipant;
  presence: PresenceEntry;
  /** A participant has changed the video size that they request from us. */
  requested: void;
  /** The estimate of the room's clock has improved. */
  clock: void;
  /** The list of the room's recordings has changed. */
  recordings: void;
  /** The connection to the server was lost, was resumed, or has ended for good. */
  lost: void;
  resumed: void;
  closed: void;
};

/** A room as the client uses it: our own room, or another application's call as seen by one of its pages. */
interface CallRoom extends Emitter<CallRoomEvents> {
  readonly id: string;
  readonly name: string;
  /** The number in the markers of our synthetic media. */
  readonly marker: number;
  readonly clock: RoomClockLike;
  readonly spoolToken: string;
  /** The room's recordings, newest first; null if the server keeps no list. */
  readonly recordings: LibraryItem[] | null;
  readonly participants: ReadonlyMap<string, CallParticipant>;
  /**
   * Whether join and leave events come from the server. A room whose join and leave events don't come from the server
   * emits all of them as `presence`.
   */
  readonly presenceFromServer: boolean;
  join(hello: Omit<Extract<ToServer, { type: 'hello' }>, 'type'>): Promise<void>;
  /** Sends the media to every subscriber; resolves when all subscribers have received the first frame and audio. */
  publish(media: LocalMedia, timeout?: number): Promise<void>;
  subscribe(subscriptions: Subscriptions): void;
  /** Returns the largest video size that any participant requests from us, or null if nobody subscribes to us. */
  requestedSize(): VideoSize | null;
  /** Adapts how we send our video after the size of the published video has changed. */
  refit(): Promise<void>;
  replaceTrack(old: MediaStreamTrack, fresh: MediaStreamTrack): Promise<void>;
  announce(state: { audio: boolean; video: boolean; screen: boolean }): void;
  /** Reports frames of our synthetic video that were painted late, so that recordings mention them. */
  reportLate(frames: LateFrames): void;
  /** Throws an InvalidStateError if there is nothing to record. */
  checkRecordable(): void;
  /**
   * Resolves when we receive media from every participant that we subscribe to; fails with a StepTimeout that names the
   * missing participants.
   */
  allReceived(): Promise<void>;
  /** Returns the join events for a recording that starts now, either for all participants or only for us. */
  presence(recorder: RecorderKind): PresenceEntry[];
  /** Returns how much later a participant's audio arrives than their video, in ms, or null if WebRTC doesn't know. */
  skew(id: string, label?: string | null): Promise<number | null>;
  /**
   * Returns whether it is normal for a participant's video to be static, and for their audio to be completely silent.
   * `label` is the label of extra tracks, or null for the camera and the microphone.
   */
  mayRest?(id: string, label: string | null): { video: boolean; audio: boolean };
  /** Returns a copy of the latest frame of a video that may be static, or null. */
  lastFrame?(id: string, label: string | null): VideoFrame | null;
  /** Restarts a participant's audio after the audio system was suspended. */
  resumePlayback(id: string): void;
  statistics(): Promise<Omit<ConnectionStatistics, 'time'>[]>;
  leave(): void;
}

/** Returns the current size of the published video. */
type PublishedSize = () => VideoSize;

/** The data that we need to join through a transport; `taken` contains the other participants' markers. */
interface Entrant {
  name: string;
  marker: number;
  synthetic: boolean;
  subscriptions: Subscriptions;
  taken: (number | null)[];
}

/**
 * The events that a transport emits. The last three events are about participants who joined through another server.
 */
type TransportEvents = {
  track: { id: string; track: MediaStreamTrack };
  state: { id: string; state: RTCPeerConnectionState };
  joined: MemberInfo;
  updated: MemberInfo;
  left: string;
};

/** Transports media between the participants in our own room, either directly from page to page or through an SFU. */
interface Transport extends Emitter<TransportEvents> {
  /** Joins the transport's room; returns our marker if it is free, otherwise another free marker. */
  enter(entrant: Entrant): Promise<number>;
  subscribe(subscriptions: Subscriptions): void;
  announce(state: { audio: boolean; video: boolean; screen: boolean }): void;
  publish(stream: MediaStream, size: PublishedSize): Promise<void>;
  /** Sets the video size that a participant requests from us; pass null if the participant no longer subscribes. */
  setRequestedSize(id: string, size: VideoSize | null): Promise<void>;
  refit(): Promise<void>;
  /** Handles a participant's description or candidate, which the server has forwarded. */
  handleSignal(from: string, data: SignalData): Promise<void>;
  replaceTrack(old: MediaStreamTrack, fresh: MediaStreamTrack): Promise<void>;
  /** Closes the connection to a participant who left. */
  remove(id: string): void;
  /**
   * Returns how long a participant's video and audio take to arrive, in ms, by kind. Only the difference between the
   * travel time of the audio and that of the video is exact.
   */
  travelTimes(id: string): Partial<Record<string, number>>;
  resumePlayback(id: string): void;
  stats(id: string): Promise<RTCStatsReport | null>;
  /** Immediately restores all connections that were broken by a network failure. */
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
