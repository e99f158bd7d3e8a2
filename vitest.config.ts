import { defineConfig } from 'vitest/config';

/**
 * Test levels by file name:
 *   *.test.ts      pure, in memory
 *   *.int.test.ts  with real servers (PostgreSQL, nats-server, the dev event store over the wire)
 *   *.e2e.test.ts  the whole stack, as a user sees it
 *   *.sim.test.ts  the services' own code under a virtual clock and a seeded scheduler
 * `contract` is the event store's contract suite alone, against EVENTSTORE_URL when it is set.
 */
const real = {
  globalSetup: ['infra/dev-stack/src/testing/global-setup.ts'],
  testTimeout: 60_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    passWithNoTests: false,
    // Tests with real servers mostly wait for them.
    maxWorkers: 4,
    projects: [
      {
        test: {
          name: 'unit',
          // Pure tests share nothing that could leak; loading everything once is three times as fast.
          isolate: false,
          include: ['{packages,services,infra,scripts}/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.{int,e2e,contract,sim}.test.ts'],
          // Ends what hangs; how fast a test is on a busy machine proves nothing.
          testTimeout: 60_000,
        },
      },
      { test: { name: 'int', include: ['{packages,services,infra}/**/*.int.test.ts'], ...real } },
      { test: { name: 'sim', include: ['infra/simulation/src/*.sim.test.ts'], testTimeout: 0 } },
      {
        test: {
          name: 'e2e',
          include: ['{packages,services,infra}/**/*.e2e.test.ts'],
          fileParallelism: false,
          ...real,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: ['packages/event-store/src/contract/*.contract.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
