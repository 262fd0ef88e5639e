import { availableParallelism } from "node:os";

import { defineConfig } from "vitest/config";

import { LongestFirst } from "./test/support/longest-first.js";

const cores = availableParallelism();
/** Tests of machines wait about a third of their time. Each file that runs has ports of its own, of eight ranges. */
const waiting = Math.min(8, cores + 1);

/**
 * `unit` needs nothing. `contract` and `e2e` use real supervisors, servers and models. `toolchain` builds the CLI.
 * `systemd` runs inside the container that `test/contract/systemd.test.ts` starts. Projects with another number of
 * workers run one after the other, in the order of their `groupOrder`.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts"],
          setupFiles: ["test/support/seed.ts"],
          testTimeout: 30_000,
          maxWorkers: cores,
        },
      },
      {
        test: {
          name: "contract",
          include: ["test/contract/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          maxWorkers: waiting,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          maxWorkers: waiting,
          sequence: { groupOrder: 2 },
        },
      },
      { test: { name: "record", include: ["test/record/**/*.test.ts"], testTimeout: 600_000, hookTimeout: 600_000 } },
      {
        test: { name: "systemd", include: ["test/systemd/**/*.test.ts"], testTimeout: 240_000, hookTimeout: 240_000 },
      },
      { test: { name: "toolchain", include: ["test/toolchain/**/*.test.ts"], testTimeout: 1_200_000 } },
    ],
  },
});
