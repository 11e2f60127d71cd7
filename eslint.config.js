// Rules for the page: plain, fully typed JavaScript, and the allowed imports between folders.
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

// The stages: folders of web/src, in the order in which a recording passes through them. The roots, main.js and
// attach.js, create the stages, and client/ connects them. Every folder may import shared/. The two kinds of rooms
// share webrtc/.
const STAGES = ['entry', 'room', 'application', 'media', 'mixer', 'recorder', 'library', 'view'];

const ROOTS = {
  group: ['../**/main.js', '../**/attach.js'],
  message: 'Nothing imports a root: roots pass the parts that they create to others.',
};
const CLIENT = {
  group: ['../**/client/**'],
  message: 'Only the roots import client/: the client uses the stages, not the other way round.',
};
const stages = (names, message) => ({ group: names.map((name) => `../**/${name}/**`), message });
const inner = (group, message) => ({ group, message });

/** ESLint uses only the last matching configuration of a rule, so each entry lists all contracts for its files. */
const contract = (files, ...patterns) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [ROOTS, ...patterns] }] },
});

const ofStage = (stage) => [
  CLIENT,
  stages(
    STAGES.filter((other) => other !== stage),
    `The stage ${stage}/ imports no other stage: main.js or attach.js passes it in.`,
  ),
];

const contracts = [
  ...STAGES.map((stage) => contract([`web/src/${stage}/**/*.js`], ...ofStage(stage))),
  contract(['web/src/client/**/*.js'], stages(['entry', 'view'], 'client/ does not import its callers.')),
  contract(['web/src/webrtc/**/*.js'], CLIENT, stages(STAGES, 'webrtc/ imports no stage: stages import it.')),
  contract(
    ['web/src/shared/**/*.js'],
    CLIENT,
    stages([...STAGES, 'webrtc'], 'shared/ imports nothing from other folders.'),
  ),
  // Between the files of one stage, imports are allowed in one direction only.
  contract(
    ['web/src/room/transport/**/*.js'],
    ...ofStage('room'),
    inner(
      ['../room.js', '../signaling.js', '../arrivals.js'],
      'A transport does not import the room that uses it.',
    ),
  ),
  ...['audio', 'video'].map((track) =>
    contract(
      [`web/src/mixer/${track}/**/*.js`],
      ...ofStage('mixer'),
      inner(
        ['../mixer.js', '../audio/**', '../video/**'],
        `mixer/${track}/ imports neither mixer.js nor the other track: mixer.js connects both.`,
      ),
    ),
  ),
  ...['lobby', 'room', 'recordings', 'language'].map((part) =>
    contract(
      [`web/src/view/${part}/**/*.js`],
      ...ofStage('view'),
      inner(
        ['../view.js', ...['lobby', 'room', 'recordings'].map((other) => `../${other}/**`)],
        `view/${part}/ imports no other part of the view: view.js connects them.`,
      ),
    ),
  ),
];

export default defineConfig(
  { ignores: ['**/node_modules/', '**/.venv/', '**/recordings/', 'build/', 'dist/'] },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      globals: { ...globals.browser, ...globals.worker },
      parserOptions: {
        projectService: {
          allowDefaultProject: [
            'eslint.config.js',
            'benchmarks/*.js',
            'tests/applications/*.js',
            'tests/applications/frames/*.js',
          ],
        },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'max-params': ['error', 6],
    },
  },
  ...contracts,
  {
    files: ['web/test/**/*.js'],
    languageOptions: { globals: globals.node },
    rules: {
      // node:test itself awaits the promises that test() and describe() return.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'it', 'describe', 'suite'], package: 'node:test' },
          ],
        },
      ],
    },
  },
  { files: ['eslint.config.js'], extends: [tseslint.configs.disableTypeChecked] },
  // A classic script, not a module. Python inserts the script's options and modules in front of it.
  {
    files: ['web/src/application/hooks.js'],
    languageOptions: { sourceType: 'script', globals: { HARNESS: 'readonly', MODULES: 'readonly' } },
  },
  // In the tests, the pages of other applications contain untyped JavaScript.
  {
    files: ['tests/applications/**/*.js'],
    ...tseslint.configs.disableTypeChecked,
  },
  {
    files: ['web/src/**/*-worklet.js'],
    languageOptions: { globals: globals.audioWorklet },
  },
  // Benchmarks run in the harness's page, and import its modules by URL.
  {
    files: ['benchmarks/**/*.js'],
    ...tseslint.configs.disableTypeChecked,
  },
);
