/** The interface between Python, hooks.js and attach.js on another application's page. */

/** The options that Python defines before hooks.js runs. */
interface AttachOptions {
  /**
   * The server's address, the secret with which this page opens the server's sockets, and the token with which it
   * joins.
   */
  url: string;
  key: string;
  token: string;
  /**
   * The media of the page's virtual camera and microphone: synthetic, from a video file, or from the browser's own
   * devices.
   */
  media: 'synthetic' | 'video-file' | 'own';
  /** The path of the video file on our server. */
  videoFile: string | null;
}
declare const HARNESS: AttachOptions;

/**
 * The path and source code of attach.js and of all modules that it uses. Each module comes after the modules that it
 * imports. The source code contains `harness:` and a module's path in place of each relative specifier.
 */
declare const MODULES: [path: string, text: string][];

/** Messages to and from a WebSocket in a worker. A message with neither a URL nor data closes the socket. */
interface ToSocket {
  url?: string;
  protocols?: string[];
  data?: Blob | string;
}
type FromSocket =
  | { type: 'open' }
  | { type: 'message'; data: string }
  | { type: 'close'; code: number; reason: string; wasClean: boolean };

/** Replaces navigator.mediaDevices. */
interface ApplicationCamera {
  open(constraints?: unknown): Promise<MediaStream>;
  devices(): MediaDeviceInfo[];
  share(constraints?: unknown): Promise<MediaStream>;
}

/**
 * The properties and methods of a virtual device or track, by name, which replace the browser's own. The browser's own
 * members would throw for a virtual device, and would describe the wrong source for a virtual track.
 */
type Answers = Record<string, (...args: never[]) => unknown>;

/** The media of the application's virtual camera, microphone and screen (media/). */
interface DeviceSource {
  readonly kind: 'synthetic' | 'video-file';
  /** The sizes and frame rates that the camera can have, and those that it has by default. */
  readonly videoRange: Record<'width' | 'height' | 'frameRate', { min: number; max: number }>;
  readonly videoSize: VideoSize;
  /** When the counter in the markers was 0, in ms on the page's clock; absent for media without markers. */
  readonly counterZero?: number;
  /** The frame rates at which `verify` finds equal intervals between frames, in ascending order. */
  readonly steadyRates: readonly number[];
  /** Returns whether there is a device of this kind. */
  has(kind: 'audio' | 'video'): boolean;
  openVideo(device: 'camera' | 'screen', size: VideoSize): DeviceMedia;
  openAudio(device: 'microphone' | 'screen'): DeviceMedia;
  setClock(offset: number): void;
  setSpeaking(on: boolean): void;
  close(): Promise<void>;
}

/** One opened track of a virtual device. */
interface DeviceMedia {
  readonly track: MediaStreamTrack;
  /** Resolves when the track has media. */
  readonly ready: Promise<unknown>;
  fit(size: VideoSize): void;
  /** Releases the track's source; the track itself has already ended. */
  close(): void;
}

/** Chrome's document, whose permissions policy TypeScript's DOM library does not declare. */
interface PolicyDocument {
  featurePolicy?: { allowsFeature(feature: string): boolean };
}

/** Functions of Object, which do not use `this`. */
interface PropertyFunctions {
  defineProperty: (object: object, name: string, descriptor: object) => void;
  getOwnPropertyDescriptor: (object: object, name: string) => { value?: unknown; get?: unknown } | undefined;
}

/** The object that hooks.js defines on the page as Symbol.for('recording-harness'). */
interface ApplicationHooks extends EventTarget {
  connections: Set<RTCPeerConnection>;
  /** The streams that were announced with each receiver's track. */
  streams: WeakMap<RTCRtpReceiver, readonly MediaStream[]>;
  /** The latest frame of each received video, until it is read. */
  frames: WeakMap<RTCRtpReceiver, ReadableStream<VideoFrame>>;
  camera: ApplicationCamera | null;
  /** The properties and methods that replace the browser's own for virtual devices and tracks. */
  answers: WeakMap<object, Answers>;
  /** Chrome's own functions, by name; the page may have replaced them since. */
  natives: Readonly<Record<string, unknown>>;
  listen(type: 'connection' | 'closed', handler: (connection: RTCPeerConnection) => void): void;
  wake(): Promise<AttachedPage>;
  /** Makes Chrome treat the page as if the user had interacted with it. */
  activate(): Promise<void>;
}

/** The calls that Python can make (entry/python.js). */
interface AttachedPage {
  begin(name: string, argument: unknown): number;
  finish(number: number): Promise<unknown>;
  call(name: string, argument: unknown): Promise<unknown>;
}

/** An attached participant, as described by the server. */
type AttachedMember = MemberInfo & { fingerprints: readonly string[]; connected: boolean };

/** A track whose content is examined for markers. */
interface ExaminedTrack {
  readonly kind: 'audio' | 'video';
  readonly track: MediaStreamTrack;
  /** The track's frames, beginning with one that arrived before the track was first read. */
  readonly frames?: ReadableStream<VideoFrame> | undefined;
  /**
   * The number of the marker in the track: for video, 0 to 255; for audio, only the marker modulo 16; null if none has
   * been found.
   */
  marker: number | null;
  /** Whether the track's content has been examined for long enough to find a marker. */
  examined: boolean;
}

/** A track of a call, with what is known about it. */
interface CallTrack extends ExaminedTrack {
  readonly connection: RTCPeerConnection;
  /** Identifies the stream with which the track was announced. */
  readonly stream: string;
  /** The track's index among the tracks of the same kind in the same stream, counted from 0. */
  readonly place: number;
  /** Whether anything has arrived on the track so far. */
  readonly hasMedia: boolean;
}
