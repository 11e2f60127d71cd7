import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { ownersOf, slotsOf } from '../../src/application/owners.js';

/** @type {Map<string, {name: string}>} */
const connections = new Map();

/** @param {string} name */
function connection(name) {
  const known = connections.get(name) ?? { name };
  connections.set(name, known);
  return /** @type {RTCPeerConnection} */ (/** @type {unknown} */ (known));
}

/**
 * Returns tracks for descriptions such as "bob video 5": stream, kind and marker ("-" for a track without a marker, "?"
 * for one that has not been examined), optionally followed by "on" and a connection, and by "muted".
 *
 * @param {string[]} descriptions
 * @returns {(CallTrack & {name: string})[]}
 */
function tracksOf(...descriptions) {
  /** @type {Record<string, number>} */
  const places = {};
  return descriptions.map((name) => {
    const [stream = '', kind = '', marker = '', , on = 'first'] = name.split(' ');
    const place = (places[`${on} ${stream} ${kind}`] ??= -1) + 1;
    places[`${on} ${stream} ${kind}`] = place;
    const number = Number.parseInt(marker, 10);
    return {
      name,
      connection: connection(on),
      stream,
      place,
      kind: /** @type {'audio' | 'video'} */ (kind),
      track: /** @type {MediaStreamTrack} */ (/** @type {unknown} */ ({ kind })),
      marker: Number.isNaN(number) ? null : number,
      examined: marker !== '?',
      hasMedia: !name.endsWith('muted'),
    };
  });
}

const MEMBERS = /** @type {Record<number, string>} */ ({ 1: 'alice', 2: 'bob', 3: 'carol' });

/**
 * @param {CallTrack[]} tracks
 * @param {Record<string, string>} [peers] the participant at the other end of each connection
 * @param {boolean} [isShared]
 */
function owners(tracks, peers = {}, isShared = false) {
  const found = ownersOf(tracks, {
    memberOf: ({ marker }) => (marker === null ? null : (MEMBERS[marker % 128] ?? null)),
    isShared: () => isShared,
    peerOf: (one) => peers[/** @type {{name: string}} */ (/** @type {unknown} */ (one)).name] ?? null,
  });
  const names = (/** @type {CallTrack[]} */ list) =>
    list.map((one) => /** @type {{name: string}} */ (/** @type {unknown} */ (one)).name);
  return found.map(({ member, tracks: own }) => [member, names(own)]);
}

describe('a track belongs to', () => {
  test('the participant whose marker it carries, in video or in audio', () => {
    assert.deepEqual(
      [
        ['bob', ['x video 2']],
        ['carol', ['y audio 3']],
      ],
      owners(tracksOf('x video 2', 'y audio 3')),
    );
  });

  test('the participant with whom it shares a stream', () => {
    assert.deepEqual([['bob', ['x video ?', 'x audio 2']]], owners(tracksOf('x video ?', 'x audio 2')));
  });

  test('the participant whose page sends it, even without a marker', () => {
    assert.deepEqual(
      [['bob', ['x video -', 'y audio ?']]],
      owners(tracksOf('x video -', 'y audio ?'), { first: 'bob' }),
    );
  });

  test('the only participant on the connection, if it is a video without audio', () => {
    assert.deepEqual(
      [['bob', ['x video 2', 'x audio 2', 'screen video -']]],
      owners(tracksOf('x video 2', 'x audio 2', 'screen video -')),
    );
  });

  test('nobody yet, if it is a video that has not been examined', () => {
    assert.deepEqual(
      [
        ['bob', ['x video 2']],
        [null, ['y video ?']],
      ],
      owners(tracksOf('x video 2', 'y video ?')),
    );
  });

  test('an unidentified participant, if several participants share the connection', () => {
    assert.deepEqual(
      [
        ['bob', ['x video 2']],
        ['carol', ['y video 3']],
        [null, ['z video -']],
      ],
      owners(tracksOf('x video 2', 'y video 3', 'z video -')),
    );
  });

  test('one of several unidentified participants, if a server puts all tracks into one stream', () => {
    assert.deepEqual(
      [
        [null, ['- audio -', '- video -']],
        [null, ['- audio -', '- video -']],
      ],
      owners(tracksOf('- audio -', '- video -', '- audio -', '- video -')),
    );
  });

  test('the first unidentified participant, if it is a second video beside one audio track', () => {
    assert.deepEqual(
      [[null, ['x audio -', 'x video -', 'x video -']]],
      owners(tracksOf('x audio -', 'x video -', 'x video -')),
    );
  });

  test('nobody yet, if several participants have used its stream', () => {
    assert.deepEqual(
      [
        ['bob', ['- audio 2', '- video 2']],
        [null, ['- audio ?', '- video ?']],
      ],
      owners(tracksOf('- audio 2', '- video 2', '- audio ?', '- video ?'), {}, true),
    );
  });

  test('the participant in its stream who has no such track, if the microphone is muted', () => {
    assert.deepEqual(
      [
        ['bob', ['- audio -', '- video 2']],
        ['carol', ['- audio 3', '- video 3']],
      ],
      owners(tracksOf('- audio -', '- video 2', '- audio 3', '- video 3')),
    );
  });

  test('each of several participants in one stream by its own marker', () => {
    assert.deepEqual(
      [
        ['bob', ['- audio 2', '- video 2']],
        ['carol', ['- audio 3', '- video 3']],
      ],
      owners(
        tracksOf('- audio 2', '- audio 3', '- video 3', '- video 2').toSorted(
          (a, b) => (a.marker ?? 0) - (b.marker ?? 0),
        ),
      ),
    );
  });
});

/** @param {CallTrack[]} tracks @param {{keepOldest: boolean}} [options] */
function slots(tracks, options) {
  const name = (/** @type {CallTrack | null} */ one) =>
    one && /** @type {{name: string}} */ (/** @type {unknown} */ (one)).name;
  const { camera, microphone, extras } = slotsOf(tracks, options);
  return {
    camera: name(camera),
    microphone: name(microphone),
    extras: extras.map(({ label, video, audio }) => [label, name(video), name(audio)]),
  };
}

describe("a participant's tracks", () => {
  test('are the camera and the microphone', () => {
    assert.deepEqual(
      { camera: 'x video 2', microphone: 'x audio 2', extras: [] },
      slots(tracksOf('x audio 2', 'x video 2')),
    );
  });

  test('include a shared screen with its audio', () => {
    assert.deepEqual(
      {
        camera: 'x video 2',
        microphone: 'x audio 2',
        extras: [['screen', 'screen video 130', 'screen audio 2']],
      },
      slots(tracksOf('screen video 130', 'screen audio 2', 'x video 2', 'x audio 2')),
    );
  });

  test('include any number of screens and audio tracks, each with its own label', () => {
    assert.deepEqual(
      [
        ['screen', 's video -', null],
        ['screen 2', 't video -', null],
        ['audio 2', null, 'u audio -'],
      ],
      slots(tracksOf('x video 2', 'x audio 2', 's video -', 't video -', 'u audio -')).extras,
    );
  });

  test('use the shared screen as the camera if there is no other video', () => {
    assert.equal('x video 130', slots(tracksOf('x video 130', 'x audio 2')).camera);
  });

  test('do not include a second video before it has been examined', () => {
    assert.deepEqual([], slots(tracksOf('x video 2', 'x audio 2', 'y video ?')).extras);
  });

  test('come from the newer of two connections as soon as media arrives there', () => {
    const old = ['x video 2', 'x audio 2'];

    assert.deepEqual(
      { camera: 'x video 2', microphone: 'x audio 2', extras: [] },
      slots(tracksOf(...old, 'y video ? on second muted', 'y audio ? on second muted')),
    );
    assert.deepEqual(
      { camera: 'y video 2 on second', microphone: 'y audio 2 on second', extras: [] },
      slots(tracksOf(...old, 'y video 2 on second', 'y audio 2 on second')),
    );
  });

  test('come from the newer of two connections with the same kinds of tracks, even without markers', () => {
    assert.deepEqual(
      { camera: 'y video - on second', microphone: 'y audio - on second', extras: [] },
      slots(tracksOf('x video -', 'x audio -', 'y video - on second', 'y audio - on second')),
    );
  });

  test('include a screen that has a connection of its own', () => {
    assert.deepEqual(
      { camera: 'x video 2', microphone: 'x audio 2', extras: [['screen', 's video - on second', null]] },
      slots(tracksOf('x video 2', 'x audio 2', 's video - on second')),
    );
  });

  test('come from the oldest connection if the page itself sends them', () => {
    const tracks = tracksOf('- video 2', '- audio 2', '- video 2 on second', '- audio 2 on second');

    assert.deepEqual(
      { camera: '- video 2', microphone: '- audio 2', extras: [] },
      slots(tracks, { keepOldest: true }),
    );
  });
});
