import { defineConfig } from '@playwright/test'
import base from '../../playwright.config'

/** Measurements of pages against a running installation; run on request, see docs/benchmarks. */
export default defineConfig({
  ...base,
  testDir: '.',
  testMatch: '*.spec.ts',
  outputDir: '../../test-results',
})
