import { fileURLToPath } from 'node:url';

import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

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

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: {
    proxy: Object.fromEntries(API_PATHS.map((path) => [`/${path}`, { target: API }])),
  },
  build: { target: 'es2022', chunkSizeWarningLimit: 800 },
});
