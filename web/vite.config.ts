import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const API = 'http://127.0.0.1:8000';
/** First path segments that belong to the API; everything else is the web app. */
const API_PATHS = [
  'auth',
  'actors',
  'channels',
  'tasks',
  'quests',
  'memory',
  'opencode',
  'git',
  'billing',
  'config',
  'healthz',
];

/** Puts the viewer of the API reference (`/docs`) beside the app, so it works without internet. */
function apiReferenceViewer(): Plugin {
  const { resolve } = createRequire(import.meta.url);
  return {
    name: 'api-reference-viewer',
    apply: 'build',
    generateBundle() {
      for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css']) {
        const source = readFileSync(resolve(`swagger-ui-dist/${file}`));
        this.emitFile({ type: 'asset', fileName: `assets/docs/${file}`, source });
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), tailwindcss(), apiReferenceViewer()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: {
    proxy: Object.fromEntries(API_PATHS.map((path) => [`/${path}`, { target: API }])),
  },
  build: { target: 'es2022', chunkSizeWarningLimit: 800 },
});
