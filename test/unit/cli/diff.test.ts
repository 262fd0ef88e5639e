import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { diff, formatDiff } from "../../../src/cli/diff.js";
import { buildLock } from "../../../src/lock/build.js";
import { formatLock } from "../../../src/lock/lock-file.js";
import { compareLocks } from "../../../src/lock/release-difference.js";
import { catalogueOf } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject, type TestProject } from "../support/workplaces.js";

const lockOf = async (contextLength: number, host: string) => {
  const hosts = { [host]: { connection: "local" as const, dataDir: "/srv/berth" } };
  const stack = stackOf({ chat: chat({ contextLength }) }, { hosts });
  const problem = {
    owner: "shop/dev",
    stack,
    written: stack,
    catalogue: catalogueOf(),
    previous: undefined,
    resolved: {},
  };
  return (await buildLock(problem, fakeEdges())).lock;
};
const [staging, prod] = [await lockOf(8192, "lab"), await lockOf(4096, "gpu1")];

function project(): Promise<TestProject> {
  const [left, right] = [formatLock(staging), formatLock(prod)];
  return testProject({ "stacks/staging.lock.yaml": left, "stacks/prod.lock.yaml": right });
}

const cells = (text: string) => text.split("\n").map((line) => line.trim().split(/ {2,}/));

describe("formatDiff", () => {
  it("tells what a promotion moves apart from what is each environment's own", () => {
    expect(cells(formatDiff("staging", "prod", compareLocks(staging, prod)))).toEqual([
      ["RELEASE: what a promotion moves"],
      ["FIELD", "staging", "prod"],
      ["chat.bundle", staging.release.chat?.id.slice(0, 12), prod.release.chat?.id.slice(0, 12)],
      ["chat.parameters", "--ctx-size 8192", "--ctx-size 4096"],
      [""],
      ["ENVIRONMENT: what is each one's own"],
      ["FIELD", "staging", "prod"],
      ["hosts.gpu1", "-", "local, linux/x64, no accelerators"],
      ["hosts.lab", "local, linux/x64, no accelerators", "-"],
      ["instances.chat-0.host", "lab", "gpu1"],
    ]);
  });

  it("says which part is the same", () => {
    expect(formatDiff("staging", "prod", { release: [], environment: [] })).toBe(
      "the release part is the same in staging and prod\n\nnothing else differs between staging and prod",
    );
  });
});

describe("berth diff", () => {
  it("compares the locks as they are, and prints the same for programs", async () => {
    const { workplace, printed } = await project();
    await diff(workplace, "staging", "prod", {});
    expect(printed).toEqual(formatDiff("staging", "prod", compareLocks(staging, prod)).split("\n"));
    printed.splice(0);
    await diff(workplace, "staging", "prod", { json: true });
    const told: unknown = JSON.parse(printed.join("\n"));
    expect(told).toEqual({ left: "staging", right: "prod", ...compareLocks(staging, prod) });
  });

  it("finds nothing between an environment and itself", async () => {
    const { workplace, printed } = await project();
    await diff(workplace, "prod", "prod", { json: true });
    expect(JSON.parse(printed.join("\n"))).toEqual({ left: "prod", right: "prod", release: [], environment: [] });
  });

  it("refuses an environment without a lock, and says what to do", async () => {
    const { workplace } = await project();
    await writeFile(join(workplace.root, "stacks", "dev.yaml"), "");
    const error = await rejectionOf(diff(workplace, "prod", "dev", {}));
    expect([error.code, error.message]).toEqual([
      "lock-missing",
      [
        "stacks/dev.lock.yaml: environment dev has no lock",
        "  to do: run `berth lock dev`, or name another environment",
      ].join("\n"),
    ]);
  });

  it("refuses a name that no environment has, with those that are spelled alike", async () => {
    const { workplace } = await project();
    const error = await rejectionOf(diff(workplace, "prod", "stagign", {}));
    expect([error.code, error.parts.expected]).toEqual(["file-not-found", "staging"]);
  });
});
