/** Declarations that TypeScript's DOM library lacks. */

interface VideoFrame {
  /**
   * See the W3C WebCodecs VideoFrame Metadata Registry. `rtpTimestamp` exists on remote frames: the sender's clock at
   * 90 kHz.
   */
  metadata(): { rtpTimestamp?: number };
}

/** W3C WebRTC Extensions; only Chrome has these methods. */
interface RTCRtpTransceiver {
  getHeaderExtensionsToNegotiate?(): { uri: string; direction: string }[];
  setHeaderExtensionsToNegotiate?(extensions: { uri: string; direction: string }[]): void;
}

/** The scope of audio worklets, which TypeScript's DOM library does not declare. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: { buffer: SharedArrayBuffer } }) => AudioWorkletProcessor,
): void;
