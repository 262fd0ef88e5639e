import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { initCi } from "../../../src/cli/ci-init.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject } from "../support/workplaces.js";

const stack = "schemaVersion: 1\n";
const project = () =>
  testProject({
    "Pulumi.yaml": "name: p\nruntime: nodejs\n",
    "stacks/prod.yaml": stack,
    "stacks/dev.yaml": stack,
    "stacks/canary.yaml": stack,
    "stacks/dev.lock.yaml": "",
    "stacks/environments.yaml": "",
  });
const folder = (root: string) => join(root, ".github", "workflows");

describe("ci init", () => {
  it("writes the workflows of all stacks, in the usual order of environments", async () => {
    const { workplace, printed } = await project();
    await initCi(workplace, "github", {});
    const names = ["berth-drift.yml", "berth-plan.yml", "berth-promote.yml", "berth-up.yml"];
    expect(readdirSync(folder(workplace.root))).toEqual(names);
    expect(printed.slice(0, 4).sort()).toEqual(names.map((name) => `.github/workflows/${name}`));
    const up = readFileSync(join(folder(workplace.root), "berth-up.yml"), "utf8");
    expect([...up.matchAll(/^ {2}up-(\w+):$/gm)].map(([, name]) => name)).toEqual(["dev", "prod", "canary"]);
  });

  it("takes the stacks that are named, with the stack file of their configuration", async () => {
    const { workplace } = await project();
    writeFileSync(join(workplace.root, "Pulumi.dev.yaml"), "config: { berth:stackFile: stacks/canary.yaml }\n");
    await initCi(workplace, "github", { stacks: "dev, prod" });
    const plan = readFileSync(join(folder(workplace.root), "berth-plan.yml"), "utf8");
    expect(plan).toContain("choose dev stacks/canary.yaml stacks/canary.lock.yaml Pulumi.dev.yaml\n");
    expect(plan).not.toContain("choose canary");
  });

  it("replaces nothing that is there, unless it is forced", async () => {
    const { workplace } = await project();
    await initCi(workplace, "github", {});
    const file = join(folder(workplace.root), "berth-up.yml");
    writeFileSync(file, "mine");
    const error = await rejectionOf(initCi(workplace, "github", {}));
    expect(String(error)).toContain("there is already .github/workflows/");
    expect(readFileSync(file, "utf8")).toBe("mine");
    await initCi(workplace, "github", { force: true });
    expect(readFileSync(file, "utf8")).toContain("name: berth up");
  });

  it.each([
    ["gitlab", {}, "no such CI system"],
    ["github", { stacks: "" }, "the stacks are not named well"],
    ["github", { stacks: "dev,dev" }, "the stacks are not named well"],
    ["github", { stacks: "dev,$(touch x)" }, "the stacks are not named well"],
    ["github", { stacks: "../dev" }, "the stacks are not named well"],
    ["github", { stacks: "dev,staging" }, "a stack has no stack file"],
  ])("writes nothing for %s %j", async (system, options, what) => {
    const { workplace } = await project();
    expect(String(await rejectionOf(initCi(workplace, system, options)))).toContain(what);
    expect(existsSync(folder(workplace.root))).toBe(false);
  });

  it("refuses files whose names scripts would have to quote, and a project without stacks", async () => {
    const { workplace } = await project();
    writeFileSync(join(workplace.root, "Pulumi.dev.yaml"), 'config: { berth:stackFile: "stacks/a b.yaml" }\n');
    writeFileSync(join(workplace.root, "stacks", "a b.yaml"), stack);
    expect(String(await rejectionOf(initCi(workplace, "github", {})))).toContain("would have to quote");
    const empty = await testProject({ "Pulumi.yaml": "name: p\n" });
    expect(String(await rejectionOf(initCi(empty.workplace, "github", {})))).toContain("not named well");
  });
});
