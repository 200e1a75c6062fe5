import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

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

/** Puts a packed copy beside each text file of the build; the API hands it to who can read it. */
function packedCopies(): Plugin {
  return {
    name: 'packed-copies',
    apply: 'build',
    writeBundle({ dir = 'dist' }, bundle) {
      for (const file of Object.values(bundle)) {
        if (!/\.(js|css|svg)$/.test(file.fileName)) continue;
        const source = file.type === 'chunk' ? file.code : file.source;
        writeFileSync(join(dir, `${file.fileName}.gz`), gzipSync(source, { level: 9 }));
      }
    },
  };
}

/**
 * What most pages share, in two files: the libraries apart, because they change less often than
 * the app and browsers keep them. Parts that bring a library of their own stay with their pages.
 */
const CHUNKS = [
  { name: 'libraries', test: /node_modules\/(react|react-dom|scheduler|@tanstack)\// },
  { name: 'parts', test: /lucide-react|components\/ui\/(?!Markdown|Modal|Progress)/ },
];

export default defineConfig({
  plugins: [react(), tailwindcss(), apiReferenceViewer(), packedCopies()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: {
    proxy: Object.fromEntries(API_PATHS.map((path) => [`/${path}`, { target: API }])),
  },
  build: {
    target: 'es2022',
    rolldownOptions: { output: { codeSplitting: { groups: CHUNKS } } },
  },
});
