/**
 * The page's side of the comparison: the same people, mixed and recorded by one contestant after the other.
 *
 * Runs in the harness's own page, where `client` is in a room. In the scene 'local' the others are made in this page, in
 * the scene 'webrtc' they come from the room.
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
/** How far apart plain recorders' slices are, in ms; ours has its own. */
const SLICE = 1000;

const { client } = window;

/** @type {{id: string, name: string, videoTrack: MediaStreamTrack, audioTrack: MediaStreamTrack}[]} */
let people = [];

/** Puts people into the picture: alice herself, and others made here or come from the room. @param {{others: number, size: VideoSize, scene: 'local' | 'webrtc'}} options */
async function open({ others, size, scene }) {
  client.media.fit(size);
  const [videoTrack] = client.media.stream.getVideoTracks();
  const [audioTrack] = client.media.stream.getAudioTracks();
  people = [{ id: client.room.id, name: client.name, videoTrack, audioTrack }];
  if (scene === 'webrtc') {
    client.watch({ '*': size });
    await client.room.allReceived();
    people.push(...[...client.room.participants.values()].slice(0, others));
    return;
  }
  for (let number = 0; number < others; number += 1) {
    const marker = 100 + number;
    const media = new SyntheticMedia({ name: NAMES[number], marker, clock: client.room.clock });
    media.fit(size);
    const [video] = media.stream.getVideoTracks();
    const [audio] = media.stream.getAudioTracks();
    people.push({ id: `local-${number}`, name: NAMES[number], videoTrack: video, audioTrack: audio });
  }
}

/** One track, unmixed, as plainly as Chrome records it; the people are there all the same. */
class Floor {
  async begin(plan) {
    const whole = { width: plan.width, height: plan.height, frameRate: plan.frameRate };
    this.source = new SyntheticMedia({ name: 'floor', marker: 200, clock: client.room.clock });
    this.source.fit(whole);
    await recordPlainly(this, this.source.stream, plan);
  }

  end = () => finishPlainly(this);
}

/** What `startMediaRecording` does, with the sources of this page in the place of a room's. */
class Ours {
  async begin(plan, scene) {
    const mixer = new Mixer(plan);
    const spool = new Spool(new URL('/spool', location.href.replace(/^http/, 'ws')).href);
    this.recording = new ActiveRecording(
      plan,
      { mixer, spool, recorder: new Recorder(mixer.stream, spool, plan) },
      client.room.clock,
    );
    const sources = people.map((one) => ({
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

/** NERTC's own code: its client with our people in its maps, where its cloud would have put them. */
class Nertc {
  constructor({ webm }) {
    this.webm = webm;
  }

  async begin(plan) {
    const real = MediaRecorder.isTypeSupported;
    // It takes the first type that is supported: MP4 as shipped.
    if (this.webm)
      MediaRecorder.isTypeSupported = (type) =>
        type.startsWith('video/webm') && real.call(MediaRecorder, type);
    try {
      this.client = window.NERTCSDK.createClient({ appkey: 'a'.repeat(32), debug: false });
      const { adapterRef } = this.client;
      const streams = await Promise.all(people.map(played));
      [adapterRef.localStream] = streams;
      adapterRef.remoteStreamMap = Object.fromEntries(
        streams.slice(1).map((stream, index) => [index + 1, stream]),
      );
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

/** What NERTC's mixer looks at of a stream: the element that plays it, and its sound. */
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

/** RecordRTC's MultiStreamsMixer before a plain recorder of its stream. */
class RecordRtc {
  async begin(plan) {
    const tile = arrange(
      'grid',
      people.map(({ id }) => id),
      null,
      plan,
    ).get(people[0].id);
    const streams = people.map(({ videoTrack, audioTrack }) =>
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

/** The brightness of a track's next frame, row by row, as base64. @param {MediaStreamTrack} track */
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

const CONTESTANTS = {
  floor: () => new Floor(),
  ours: () => new Ours(),
  'nertc-shipped': () => new Nertc({ webm: false }),
  'nertc-webm': () => new Nertc({ webm: true }),
  'nertc-whole': () => new Nertc({ webm: false }),
  recordrtc: () => new RecordRtc(),
};

/** @type {{begin: Function, end: Function} | undefined} */
let running;

window.contest = {
  open,
  begin: async ({ contestant, scene, recordConfig }) => {
    running = CONTESTANTS[contestant]();
    await running.begin(recordPlan({ recorder: 'all', recordConfig }), scene);
  },
  /** What the recorded pictures should look like, in the order of the tiles. */
  sources: () =>
    Promise.all(
      (running.source
        ? running.source.stream.getVideoTracks()
        : people.map(({ videoTrack }) => videoTrack)
      ).map(brightness),
    ),
  end: () => running.end(),
};
