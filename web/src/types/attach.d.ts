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

/** Replaces navigator.mediaDevices. */
interface ApplicationCamera {
  open(constraints?: MediaStreamConstraints): MediaStream;
  devices(): MediaDeviceInfo[];
  share(): Promise<MediaStream>;
}

/** The object that hooks.js defines on the page as Symbol.for('recording-harness'). */
interface ApplicationHooks extends EventTarget {
  connections: Set<RTCPeerConnection>;
  /** The streams that were announced with each receiver's track. */
  streams: WeakMap<RTCRtpReceiver, readonly MediaStream[]>;
  camera: ApplicationCamera | null;
  listen(type: 'connection' | 'closed', handler: (connection: RTCPeerConnection) => void): void;
  wake(): Promise<AttachedPage>;
}

/** The calls that Python can make (entry/python.js). */
interface AttachedPage {
  begin(name: string, argument: unknown): number;
  finish(number: number): Promise<unknown>;
  call(name: string, argument: unknown): Promise<unknown>;
}
