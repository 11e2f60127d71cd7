/** The boundary between Python, hooks.js and attach.js on the page of another application. */

/** What Python writes before hooks.js. */
interface AttachOptions {
  /** Our server's address, a secret that opens its sockets from here, and the token to join with. */
  url: string;
  key: string;
  token: string;
  /** Whether the page's cameras are synthetic, a video file, or the browser's own. */
  media: 'synthetic' | 'video-file' | 'own';
  /** The path of the video file on our server. */
  videoFile: string | null;
}
declare const HARNESS: AttachOptions;

/** Answers in the place of navigator.mediaDevices. */
interface ApplicationCamera {
  open(constraints?: MediaStreamConstraints): MediaStream;
  devices(): MediaDeviceInfo[];
  share(): Promise<MediaStream>;
}

/** What hooks.js leaves on the page, by Symbol.for('recording-harness'). */
interface ApplicationHooks extends EventTarget {
  connections: Set<RTCPeerConnection>;
  /** What streams a track was announced with, of whatever has been received. */
  streams: WeakMap<RTCRtpReceiver, readonly MediaStream[]>;
  camera: ApplicationCamera | null;
  listen(type: 'connection' | 'closed', handler: (connection: RTCPeerConnection) => void): void;
  wake(): Promise<AttachedPage>;
}

/** What Python drives (entry/python.js). */
interface AttachedPage {
  begin(name: string, argument: unknown): number;
  finish(number: number): Promise<unknown>;
  call(name: string, argument: unknown): Promise<unknown>;
}
