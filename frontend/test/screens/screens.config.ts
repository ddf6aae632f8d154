import { defineConfig } from '@playwright/test'
import base from '../../playwright.config'

/** Pictures and findings of every page; see tests/e2e/screens.py. */
export default defineConfig({ ...base, testDir: '.', testMatch: 'screens.ts', timeout: 900_000 })
