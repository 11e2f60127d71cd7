/**
 * The part of the comparison that runs in the page: each contestant mixes and records the same participants.
 *
 * This module runs in the harness's own page, where `client` has joined a room. In the scene 'local', the page creates the
 * other participants. In the scene 'webrtc', the other participants are in the room.
 */

import { SyntheticMedia } from '/src/media/synthetic.js';
import { arrange } from '/src/mixer/video/layout.js';
import { Mixer } from '/src/mixer/mixer.js';
import { recordPlan } from '/src/client/record-plan.js';
import { download } from '/src/recorder/download.js';
import { Recorder } from '/src/recorder/recorder.js';
import { Spool } from '/src/recorder/spool.js';
import { ActiveRecording } from '/src/client/active-recording.js';

const NAMES = [
  'bob',
  'carol',
  'dave',
  'erin',
  'frank',
  'grace',
  'heidi',
  'ivan',
  'judy',
  'kate',
  'leo',
  'mia',
  'nina',
  'oscar',
  'paul',
];
/** MediaRecorder's timeslice in ms, for all recorders except the harness's. */
const SLICE = 1000;

const { client } = window;

/** @type {{id: string, name: string, videoTrack: MediaStreamTrack, audioTrack: MediaStreamTrack}[]} */
let participants = [];

/** Collects the participants: Alice, and the other participants, who are created in this page or have joined the room. @param {{others: number, size: VideoSize, scene: 'local' | 'webrtc'}} options */
async function collect({ others, size, scene }) {
  client.media.fit(size);
  const [videoTrack] = client.media.stream.getVideoTracks();
  const [audioTrack] = client.media.stream.getAudioTracks();
  participants = [{ id: client.room.id, name: client.name, videoTrack, audioTrack }];
  if (scene === 'webrtc') {
    client.watch({ '*': size });
    await client.room.allReceived();
    participants.push(...[...client.room.participants.values()].slice(0, others));
    return;
  }
  for (let number = 0; number < others; number += 1) {
    const marker = 100 + number;
    const media = new SyntheticMedia({ name: NAMES[number], marker, clock: client.room.clock });
    media.fit(size);
    const [video] = media.stream.getVideoTracks();
    const [audio] = media.stream.getAudioTracks();
    participants.push({ id: `local-${number}`, name: NAMES[number], videoTrack: video, audioTrack: audio });
  }
}

/** Records one unmixed track with a plain MediaRecorder, while all participants are present. */
class Floor {
  prepare({ width, height, frameRate }) {
    this.source = new SyntheticMedia({ name: 'floor', marker: 200, clock: client.room.clock });
    this.source.fit({ width, height, frameRate });
  }

  begin(plan) {
    return recordPlainly(this, this.source.stream, plan);
  }

  end = () => finishPlainly(this);
}

/** Like `startMediaRecording`, but records the sources in `participants` instead of the room's participants. */
class Ours {
  async begin(plan, scene) {
    const mixer = new Mixer(plan);
    const spool = new Spool(new URL('/spool', location.href.replace(/^http/, 'ws')).href);
    this.recording = new ActiveRecording(
      plan,
      { mixer, spool, recorder: new Recorder(mixer.stream, spool, plan) },
      client.room.clock,
    );
    const sources = participants.map((one) => ({
      id: one.id,
      name: one.name,
      videoTrack: one.videoTrack,
      audioTrack: one.audioTrack,
      video: true,
      audio: true,
      screen: false,
      remote: scene === 'webrtc' && one.id !== client.room.id,
      skew: () => Promise.resolve(0),
      resumePlayback: () => undefined,
    }));
    await this.recording.begin(sources, { token: client.room.spoolToken });
  }

  async end() {
    const { stopToFileMs } = await this.recording.finish();
    await this.recording.download(download);
    await this.recording.discard();
    return { stopToFileMs };
  }
}

/** Like `startMediaRecording`, but records the sources in `participants` instead of the room's participants. */
class Nertc {
  constructor({ webm }) {
    this.webm = webm;
  }

  /** Plays all participants, as a page that uses NERTC's SDK does before it records. */
  async prepare() {
    this.client = window.NERTCSDK.createClient({ appkey: 'a'.repeat(32), debug: false });
    const { adapterRef } = this.client;
    const streams = await Promise.all(participants.map(played));
    [adapterRef.localStream] = streams;
    adapterRef.remoteStreamMap = Object.fromEntries(
      streams.slice(1).map((stream, index) => [index + 1, stream]),
    );
  }

  async begin(plan) {
    const real = MediaRecorder.isTypeSupported;
    // NERTC's client uses the first type that the browser supports, which is MP4 unless we allow only WebM.
    if (this.webm)
      MediaRecorder.isTypeSupported = (type) =>
        type.startsWith('video/webm') && real.call(MediaRecorder, type);
    try {
      await this.client.startMediaRecording({
        recorder: 'all',
        recordConfig: {
          recordType: 'video',
          recordName: 'nertc',
          recordVideoQuality: plan.config.recordVideoQuality,
          recordVideoFrame: plan.frameRate,
        },
      });
    } finally {
      MediaRecorder.isTypeSupported = real;
    }
  }

  async end() {
    const stopping = performance.now();
    const stopped = new Promise((resolve) => this.client.on('@media-recording-stopped', resolve));
    await this.client.stopMediaRecording();
    await stopped;
    const stopToFileMs = performance.now() - stopping;
    await this.client.downloadMediaRecording();
    return { stopToFileMs };
  }
}

/** Plays a participant's media, and returns what NERTC's mixer reads: the video element and the audio. */
async function played({ videoTrack, audioTrack }) {
  const dom = document.createElement('video');
  dom.muted = true;
  dom.srcObject = new MediaStream([videoTrack]);
  await dom.play();
  const audioStream = new MediaStream([audioTrack]);
  return {
    _play: { video: { dom }, screen: { dom: null }, mask: { video: { enabled: false } } },
    mediaHelper: { audio: { audioStream } },
  };
}

/** Records the stream from RecordRTC's MultiStreamsMixer with a plain MediaRecorder. */
class RecordRtc {
  async begin(plan) {
    const tile = arrange(
      'grid',
      participants.map(({ id }) => id),
      null,
      plan,
    ).get(participants[0].id);
    const streams = participants.map(({ videoTrack, audioTrack }) =>
      Object.assign(new MediaStream([videoTrack, audioTrack]), { width: tile.width, height: tile.height }),
    );
    this.mixer = new window.MultiStreamsMixer(streams);
    this.mixer.frameInterval = 1000 / plan.frameRate;
    this.mixer.startDrawingFrames();
    await recordPlainly(this, this.mixer.getMixedStream(), plan);
  }

  async end() {
    const answer = await finishPlainly(this);
    this.mixer.releaseStreams();
    return answer;
  }
}

async function recordPlainly(contestant, stream, { mimeType, videoBitsPerSecond, audioBitsPerSecond }) {
  const recorder = new MediaRecorder(stream, { mimeType, videoBitsPerSecond, audioBitsPerSecond });
  Object.assign(contestant, { recorder, blobs: [] });
  const first = new Promise((resolve) =>
    recorder.addEventListener('dataavailable', ({ data }) => {
      contestant.blobs.push(data);
      resolve();
    }),
  );
  recorder.start(SLICE);
  await first;
}

async function finishPlainly({ recorder, blobs }) {
  const stopping = performance.now();
  const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve, { once: true }));
  recorder.stop();
  await stopped;
  const url = URL.createObjectURL(new Blob(blobs));
  const stopToFileMs = performance.now() - stopping;
  await download({ url, name: 'plain.webm' });
  return { stopToFileMs };
}

/** Returns the luma of a track's next frame as base64, row by row. @param {MediaStreamTrack} track */
async function brightness(track) {
  const own = track.clone();
  const reader = new MediaStreamTrackProcessor({ track: own }).readable.getReader();
  const { value: frame } = await reader.read();
  const { codedWidth: width, codedHeight: height } = frame;
  const planes = new Uint8Array(frame.allocationSize());
  const [layout] = await frame.copyTo(planes);
  frame.close();
  own.stop();
  let text = '';
  for (let y = 0; y < height; y += 1) {
    const row = layout.offset + y * layout.stride;
    text += String.fromCharCode(...planes.subarray(row, row + width));
  }
  return { width, height, luma: btoa(text) };
}

/** Returns how many frames per second arrive from a track during some seconds. @param {MediaStreamTrack} track */
async function arrivals(track, seconds) {
  const own = track.clone();
  const reader = new MediaStreamTrackProcessor({ track: own }).readable.getReader();
  const times = [];
  for (let end = performance.now() + 1000 * seconds; performance.now() < end;) {
    const { value: frame } = await reader.read();
    frame.close();
    times.push(performance.now());
  }
  own.stop();
  return (1000 * (times.length - 1)) / (times.at(-1) - times[0]);
}

const CONTESTANTS = {
  floor: () => new Floor(),
  ours: () => new Ours(),
  'nertc-shipped': () => new Nertc({ webm: false }),
  'nertc-webm': () => new Nertc({ webm: true }),
  'nertc-whole': () => new Nertc({ webm: false }),
  recordrtc: () => new RecordRtc(),
};

/** @type {{prepare?: Function, begin: Function, end: Function} | undefined} */
let running;

window.contest = {
  /** Collects the participants, and prepares the contestant's call. Nothing is recorded yet. */
  open: async ({ contestant, recordConfig, ...options }) => {
    await collect(options);
    running = CONTESTANTS[contestant]();
    await running.prepare?.(recordPlan({ recorder: 'all', recordConfig }));
  },
  /** Returns the lowest frame rate at which another participant's video arrives in some seconds. */
  lowestRate: async (seconds) =>
    Math.min(...(await Promise.all(participants.slice(1).map((one) => arrivals(one.videoTrack, seconds))))),
  begin: ({ scene, recordConfig }) => running.begin(recordPlan({ recorder: 'all', recordConfig }), scene),
  /** Returns the luma of each recorded source, in the order of the tiles. */
  sources: () =>
    Promise.all(
      (running.source
        ? running.source.stream.getVideoTracks()
        : participants.map(({ videoTrack }) => videoTrack)
      ).map(brightness),
    ),
  end: () => running.end(),
};
