import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { examineLocks } from "../../../src/cli/examinations/locks.js";
import { lock } from "../../../src/cli/lock.js";
import { commitLock } from "../../../src/lock/lock-commit.js";
import { findLeftovers } from "../../../src/lock/leftovers.js";
import type { LockFile } from "../../../src/schema/lock.js";
import { testProject } from "../support/workplaces.js";

const later = () => new Date(Date.now() + 61_000);

describe("what a command that was killed while it wrote a lock has left", () => {
  const names = ["prod.lock.yaml.next", "prod.lock.yaml.0123456789ab.tmp"];
  const files = Object.fromEntries(
    [...names, "prod.lock.yaml", "other.lock.yaml.next", "prod.lock.yaml.bak"].map((name) => [`stacks/${name}`, ""]),
  );

  it("is found beside its lock, once whoever writes must be dead", async () => {
    const { root } = (await testProject(files)).workplace;
    const path = join(root, "stacks", "prod.lock.yaml");
    expect(await findLeftovers(path, new Date())).toEqual([]);
    expect((await findLeftovers(path, later())).map(({ name }) => name)).toEqual(names.sort());
    expect(await findLeftovers(join(root, "nowhere", "prod.lock.yaml"), later())).toEqual([]);
  });

  it("is taken away by the next promotion", async () => {
    const { root } = (await testProject({ "stacks/prod.lock.yaml.next": "half" })).workplace;
    const path = join(root, "stacks", "prod.lock.yaml");
    const next = { lockVersion: 1, id: "a" } as unknown as LockFile;
    const commit = { path, shownPath: "stacks/prod.lock.yaml", before: undefined, lock: next, now: later };
    await commitLock({ ...commit, record: () => Promise.resolve() });
    expect(await findLeftovers(path, later())).toEqual([]);
  });

  it("is told by `berth doctor` for every lock, with what mends it", async () => {
    const { root } = (await testProject(files)).workplace;
    const found = await examineLocks(root, later());
    expect(found.map(({ state, mend }) => [state, mend])).toEqual(
      ["other.lock.yaml.next", ...names].map((name) => ["note", `rm stacks/${name}`]),
    );
  });

  it("is told by `berth lock`, also when it only checks and does not hold", async () => {
    const project = await testProject({
      "Pulumi.yaml": "name: shop\n",
      "stacks/dev.yaml": "schemaVersion: 1\nhosts: { box: { connection: local } }\n",
    });
    const { workplace, noted } = project;
    await writeFile(join(workplace.root, "stacks", "dev.lock.yaml.next"), "half");
    expect(await lock(workplace, "dev", { check: true }, later())).toBe(2);
    expect(noted[0]).toMatch(
      /^warning: stacks\/dev\.lock\.yaml\.next was left at .*\. Remove it: rm stacks\/dev\.lock\.yaml\.next$/,
    );
  });
});
