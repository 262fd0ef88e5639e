import { describe, expect, it } from "vitest";

import { SystemdContainer, whyNoContainer, type Account } from "../support/systemd-container.js";
import { repository } from "../support/toolchain.js";

/** The supervisor's contract has so many tests at least. */
const contractTests = 25;
const patience = 600_000;

const reason = await whyNoContainer();
const isLeftOut = reason !== undefined && process.env.BERTH_TEST_ALL !== "1";

// Each has a container of its own: when systemd reads its units anew, it forgets how often they have failed.
describe.skipIf(isLeftOut).concurrent(`a real systemd${isLeftOut ? ` (left out: ${reason})` : ""}`, () => {
  it(
    "keeps the supervisor's contract for root",
    () => inContainer((container) => pass(container, "root", contractTests)),
    patience,
  );

  it(
    "keeps the supervisor's contract for an unprivileged user",
    () => inContainer((container) => pass(container, "user", contractTests, "user")),
    patience,
  );

  it(
    "carries a deployment through pulumi up, tampering, and a loss of power",
    () =>
      inContainer(async (container) => {
        await pass(container, "lifecycle", 7);
        await container.reboot();
        await pass(container, "reboot", 3);
      }),
    patience,
  );
});

async function inContainer(action: (container: SystemdContainer) => Promise<void>): Promise<void> {
  const container = await SystemdContainer.start();
  try {
    await action(container);
  } finally {
    await container.remove();
  }
}

/** Runs a test file of the project `systemd` inside; all of its tests have to pass, and none may be left out. */
async function pass(
  container: SystemdContainer,
  file: string,
  leastTests: number,
  account: Account = "root",
): Promise<void> {
  const report = `/var/tmp/${file}.json`;
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const vitest = [`${repository}/node_modules/vitest/vitest.mjs`, "run", "--configLoader=runner", ...reporters];
  await container.run(["node", ...vitest, "--project=systemd", `test/systemd/${file}.test.ts`], account);
  const found = JSON.parse(await container.run(["cat", report])) as { numTotalTests: number; numPassedTests: number };
  expect(found.numPassedTests).toBe(found.numTotalTests);
  expect(found.numTotalTests).toBeGreaterThanOrEqual(leastTests);
}
