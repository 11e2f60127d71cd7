/** Declarations that are missing from TypeScript's DOM library. */

interface VideoFrame {
  /** Degrees clockwise by which the frame must be rotated before it is shown: 0, 90, 180 or 270. */
  readonly rotation?: number;
  /** Whether the frame must be mirrored horizontally after the rotation. */
  readonly flip?: boolean;
  /**
   * See the W3C WebCodecs VideoFrame Metadata Registry. Remote frames have `rtpTimestamp`, a time on the sender's 90
   * kHz clock.
   */
  metadata(): { rtpTimestamp?: number };
}

/** W3C WebRTC Extensions; only Chrome has these methods. */
interface RTCRtpTransceiver {
  getHeaderExtensionsToNegotiate?(): { uri: string; direction: string }[];
  setHeaderExtensionsToNegotiate?(extensions: { uri: string; direction: string }[]): void;
}

/** The global scope of audio worklets, which TypeScript's DOM library does not declare. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(
  name: string,
  processor: new (options: {
    processorOptions: { buffer: SharedArrayBuffer | undefined };
  }) => AudioWorkletProcessor,
): void;
