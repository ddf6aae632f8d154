import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vitest/config'

const server = process.env.DATAHALL_URL ?? 'http://127.0.0.1:8480'
const root = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': root('./src') } },
  build: {
    // what tools/weight.mjs reads
    manifest: true,
    // the page's policy allows scripts and images from its own origin only
    assetsInlineLimit: 0,
    // what the styles use natively: light-dark(), color-mix(), nesting
    target: ['chrome123', 'edge123', 'firefox121', 'safari17.5'],
  },
  server: {
    fs: { allow: [root('..')] }, // the server's message catalogues
    proxy: {
      // the host header stays the browser's, or the server would refuse the origin
      '^/(api|transfer|static|sign-in/.)': { target: server, changeOrigin: false },
      '/live': { target: server, ws: true, changeOrigin: false },
    },
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['test/setup.ts'],
    // a busy machine is no failure
    testTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
    restoreMocks: true,
    unstubGlobals: true,
  },
})
