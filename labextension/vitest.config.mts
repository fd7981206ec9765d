import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.ts?(x)'],
    // A busy machine is no failure.
    testTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } }
  }
});
