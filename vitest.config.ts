/** `npm test`: everything that needs no other program and no network but loopback. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/system/**', 'test/bars/**', 'node_modules/**'],
    setupFiles: ['test/support/property-seed.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    dangerouslyIgnoreUnhandledErrors: false,
  },
})
