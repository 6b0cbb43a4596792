/** `npm run test:system`: tests against real peers; one file at a time, because they share ports, users and two cores. */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/system/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 180_000,
    passWithNoTests: true,
    dangerouslyIgnoreUnhandledErrors: false,
  },
})
