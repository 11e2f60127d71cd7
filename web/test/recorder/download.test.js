import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { download } from '../../src/recorder/download.js';
import { replaceGlobal } from '../support/globals.js';
import { FakeTime } from '../support/time.js';

describe('downloads', () => {
  test('are spaced out, so that the browser runs each one (Chrome fact 20)', async (context) => {
    /** @type {number[]} */
    const clicks = [];
    const link = { click: () => clicks.push(performance.now()), remove: () => undefined };
    replaceGlobal(context, 'document', { createElement: () => link, body: { append: () => undefined } });

    const time = new FakeTime(context);

    const all = Promise.all([1, 2, 3].map((number) => download({ url: `/${number}`, name: 'a.webm' })));
    await time.pass(1000);
    await all;

    const [first = 0, ...others] = clicks;
    assert.deepEqual(
      others.map((click) => click - first),
      [120, 240],
    );
  });
});
