// package.json has more than src/ imports: peers of Cornerstone3D's packages, and `events`, which one of them takes for
// granted. Workers and WebAssembly stay files of their own.
import { defineConfig } from 'vite';

export default defineConfig({
  build: { target: 'esnext', assetsInlineLimit: 0, chunkSizeWarningLimit: 10000 },
  worker: { format: 'es' },
});
