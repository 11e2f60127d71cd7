/** The messages between the window and its workers. */

type SyntheticMessage =
  | {
      type: 'start';
      writable: WritableStream<VideoFrame>;
      name: string;
      marker: number;
      origin: number;
      clockOffset: number;
      screen: boolean;
      size: VideoSize;
    }
  | ({ type: 'fit' } & VideoSize)
  | { type: 'clock'; clockOffset: number };

type FromSyntheticWorker =
  | { type: 'painted' }
  /** Frames that were painted late, or not at all, because the machine was too busy. */
  | { type: 'late'; counters: number[] };

type ToVideoWorker =
  | ({
      type: 'start';
      writable: WritableStream<VideoFrame>;
      layout: LayoutName;
      names: boolean;
    } & VideoSize)
  | { type: 'add'; id: string; name: string; remote: boolean }
  | { type: 'rename'; id: string; name: string }
  /** `first` is shown until the first frame arrives; the worker closes it. */
  | { type: 'source'; id: string; readable: ReadableStream<VideoFrame> | null; first: VideoFrame | null }
  /** Whether it is normal for the video to be static. */
  | { type: 'rest'; id: string; on: boolean }
  | { type: 'remove'; id: string }
  | { type: 'show'; id: string; on: boolean }
  | { type: 'speaker'; id: string | null }
  | { type: 'flush' }
  | { type: 'nextTick' }
  | { type: 'stop' };

type FromVideoWorker =
  | ({ type: 'ticks' } & TickLog)
  | { type: 'layout'; time: number; tiles: ({ id: string } & TileRect)[] }
  | { type: 'video'; time: number; id: string; on: boolean }
  | { type: 'delay'; id: string; delay: number }
  | { type: 'alarm'; time: number; id: string; message: string }
  | { type: 'flushed' }
  | { type: 'ticked' }
  | { type: 'failed'; message: string };

type FrameScalerMessage =
  | {
      type: 'start';
      readable: ReadableStream<VideoFrame>;
      writable: WritableStream<VideoFrame>;
      size: VideoSize;
    }
  | { type: 'fit'; size: VideoSize };
