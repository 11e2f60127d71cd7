/** What TypeScript's DOM library does not declare yet. */

interface VideoFrame {
  /** W3C WebCodecs VideoFrame Metadata Registry; rtpTimestamp on remote frames: the sender's clock, 90 kHz. */
  metadata(): { rtpTimestamp?: number };
}

/** The scope of audio worklets, which TypeScript's library for pages leaves out. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: { buffer: SharedArrayBuffer } }) => AudioWorkletProcessor,
): void;
