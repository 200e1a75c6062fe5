import js from '@eslint/js';
import jsxA11y from 'eslint-plugin-jsx-a11y';
import reactHooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import tseslint from 'typescript-eslint';

const FEATURES = [
  'auth',
  'channels',
  'code',
  'memory',
  'quests',
  'settings',
  'tasks',
  'workspace',
];

/** Features don't know each other, and nothing below `features` knows what is above it. */
const layers = [
  ...FEATURES.map((feature) => ({
    files: [`src/features/${feature}/**`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            ...FEATURES.filter((other) => other !== feature).map((other) => ({
              group: [`@/features/${other}/**`],
              message: 'Features do not import each other; compose them in `app`.',
            })),
            { group: ['@/app/**'], message: '`app` stands above features.' },
          ],
        },
      ],
    },
  })),
  {
    files: ['src/{api,components,config,lib}/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['@/features/**', '@/app/**'], message: 'Imports point down.' }] },
      ],
    },
  },
];

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'src/api/schema.ts'] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  reactHooks.configs.flat.recommended,
  jsxA11y.flatConfigs.strict,
  {
    files: ['**/*.{ts,tsx}'],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/only-throw-error': [
        'error',
        { allow: [{ from: 'package', package: '@tanstack/router-core', name: 'Redirect' }] },
      ],
      'jsx-a11y/no-autofocus': 'off', // used once per page, where focus is expected
    },
  },
  ...layers,
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
);
