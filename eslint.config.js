// Rules for the page: plain JavaScript, fully typed, and who may import whom.
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const STAGES = ['room', 'media', 'mixer', 'recorder', 'application', 'library', 'view', 'entry'];

// A stage never imports a stage; client.js strings them together and the two roots build them.
const stagesStayApart = STAGES.map((stage) => ({
  files: [`web/src/${stage}/**/*.js`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: STAGES.filter((other) => other !== stage).map((other) => `../**/${other}/**`),
            message: `The stage ${stage} knows no other stage: pass it in from main.js, attach.js or client.js.`,
          },
          {
            group: ['../**/main.js', '../**/attach.js', '../**/client.js', '../**/view.js'],
            message: 'A stage never imports those who use it.',
          },
        ],
      },
    ],
  },
}));

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
    },
  },
  ...stagesStayApart,
  {
    files: ['web/src/{shared,webrtc}/**/*.js'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: STAGES.flatMap((stage) => [`./${stage}/**`, `../${stage}/**`]),
              message: 'Only main.js, attach.js and client.js import stages.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['web/test/**/*.js'],
    languageOptions: { globals: globals.node },
    rules: {
      // node:test runs what test() and describe() return by itself.
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
  // A classic script, before which Python writes its options.
  {
    files: ['web/src/application/hooks.js'],
    languageOptions: { sourceType: 'script', globals: { HARNESS: 'readonly' } },
  },
  // Other people's applications, for tests: plain scripts of pages.
  {
    files: ['tests/applications/**/*.js'],
    ...tseslint.configs.disableTypeChecked,
  },
  {
    files: ['web/src/**/*-worklet.js'],
    languageOptions: { globals: globals.audioWorklet },
  },
  // It runs inside the harness's page, whose modules it names by their address there.
  {
    files: ['benchmarks/**/*.js'],
    ...tseslint.configs.disableTypeChecked,
  },
);
