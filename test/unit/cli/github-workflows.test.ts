import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import Ajv from "ajv";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

import { githubWorkflows } from "../../../src/cli/ci-init.js";
import { pulumiVersion } from "../../../src/cli/toolchain.js";
import { repository } from "../../support/toolchain.js";
import { ciStack, steps, workflows, workflowTexts, type Step } from "../../support/workflow-steps.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const schemaFile = join(repository, "test", "fixtures", "github-workflow-schema", "github-workflow.json");
const schema = JSON.parse(readFileSync(schemaFile, "utf8")) as object;
const scripts = steps.flatMap(({ file, job, step }) =>
  step.run === undefined
    ? []
    : [{ name: `${file} ${job} ${step.id ?? step.run.split("\n")[0] ?? ""}`, script: step.run }],
);
const pages = steps.flatMap(({ file, job, step }) => {
  const script = step.with?.script;
  return typeof script === "string" ? [{ name: `${file} ${job}`, script }] : [];
});

describe("the workflows for GitHub", () => {
  it("are four, and without a second environment there is nothing to promote", () => {
    expect([...workflows.keys()]).toEqual(["berth-plan.yml", "berth-up.yml", "berth-promote.yml", "berth-drift.yml"]);
    expect(Object.keys(githubWorkflows([ciStack("only")])).join()).not.toContain("promote");
  });

  const check = new Ajv({ schemaId: "auto", unknownFormats: "ignore", logger: false }).compile(schema);
  it.each(workflowTexts)("%s is what the JSON Schema of workflows describes", (_, text) => {
    check(parse(text));
    expect(check.errors ?? []).toEqual([]);
    // The schema does find slips.
    expect(check(parse(text.replace("runs-on:", "run-on:")))).toBe(false);
  });

  it.each(workflowTexts)("%s names every action by a commit, with its version beside it", (_, text) => {
    const found = text.split("\n").filter((line) => /^\s*(?:- )?uses:/.test(line));
    expect(found.length).toBeGreaterThan(0);
    for (const line of found) expect(line).toMatch(/uses: actions\/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it("may do no more than they need", () => {
    for (const { permissions } of workflows.values()) expect(permissions).toEqual({ contents: "read" });
    const more = [...workflows].flatMap(([file, { jobs }]) =>
      Object.entries(jobs).flatMap(([job, { permissions }]) =>
        permissions === undefined ? [] : [[file, job, permissions]],
      ),
    );
    expect(more).toEqual([
      ["berth-plan.yml", "plan", { contents: "read", "pull-requests": "write" }],
      ["berth-promote.yml", "promote", { contents: "write", "pull-requests": "write" }],
      ["berth-drift.yml", "look", { contents: "read", issues: "write" }],
    ]);
  });

  it("leave no token in the checkout", () => {
    const checkouts = steps.filter(({ step }) => step.uses?.startsWith("actions/checkout@"));
    expect(checkouts.length).toBeGreaterThan(4);
    for (const { step } of checkouts) expect(step.with).toMatchObject({ "persist-credentials": false });
  });

  it("put nothing into scripts that GitHub fills in, secrets least of all", () => {
    for (const { script } of [...scripts, ...pages]) expect(script).not.toContain("${{");
    for (const { jobs } of workflows.values())
      for (const { env } of Object.values(jobs)) expect(JSON.stringify(env ?? {})).not.toContain("secrets.");
  });

  it("keep the CLI of Pulumi where Berth looks for it", () => {
    const caches = steps.filter(({ step }) => step.uses?.startsWith("actions/cache@"));
    for (const { step } of caches) expect(step.with?.path).toContain(`~/.pulumi/versions/${pulumiVersion}\n`);
  });

  it("change one environment after another, each by itself, by its lock alone", () => {
    const jobs = Object.entries(workflows.get("berth-up.yml")?.jobs ?? {});
    const told = jobs.map(([name, { needs, environment, concurrency, env }]) => {
      return [name, needs, environment, concurrency?.group, env?.BERTH_FROZEN];
    });
    expect(told).toEqual([
      ["up-dev", undefined, "dev", "berth-dev", "1"],
      ["up-staging", "up-dev", "staging", "berth-staging", "1"],
      ["up-prod", "up-staging", "prod", "berth-prod", "1"],
    ]);
  });
});

describe("the scripts of the workflows", () => {
  it.each(scripts)("of $name are ones that bash can read", ({ script }) => {
    const { status, stderr } = spawnSync("bash", ["-n"], { input: script, encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  it.each(pages)("of $name are ones that Node can read", async ({ script }) => {
    const file = join(await temporaryFolder(), "script.mjs");
    writeFileSync(file, `export async function run(github, context, core, require) {\n${script}\n}\n`);
    const { status, stderr } = spawnSync(process.execPath, ["--check", file], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});

function stepOf(file: string, fits: (step: Step) => boolean): string {
  return steps.find(({ file: own, step }) => own === file && fits(step))?.step.run ?? "";
}

/** How `berth` ends: always so, or by its verb. */
type Ends = number | Readonly<Record<string, number>>;

/** Runs a script as GitHub does, with a `berth` that tells its words and ends with an exit code. */
async function play(script: string, ends: Ends, env: Record<string, string> = {}, files: readonly string[] = []) {
  const folder = await temporaryFolder();
  const output = join(folder, "output");
  const codes =
    typeof ends === "number"
      ? [`*) exit ${ends} ;;`]
      : Object.entries(ends).map(([verb, code]) => `${verb}) exit ${code} ;;`);
  mkdirSync(join(folder, "bin"));
  const berth = ["#!/bin/bash", 'echo "berth $*"', `case $1 in ${codes.join(" ")} esac`, ""].join("\n");
  writeFileSync(join(folder, "bin", "berth"), berth, { mode: 0o755 });
  writeFileSync(output, "");
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  const environment = {
    PATH: `${join(folder, "bin")}:/usr/bin:/bin`,
    GITHUB_OUTPUT: output,
    RUNNER_TEMP: folder,
    ...env,
  };
  const { status, stdout } = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", script], {
    cwd: folder,
    env: environment,
    encoding: "utf8",
  });
  return { status, stdout, output: readFileSync(output, "utf8") };
}

describe("a pull request", () => {
  const choose = stepOf("berth-plan.yml", ({ id }) => id === "changed");
  const cases: [changed: string[], stacks: string][] = [
    [["stacks/dev.yaml"], '["dev"]'],
    [["stacks/dev.lock.yaml", "Pulumi.prod.yaml"], '["dev","prod"]'],
    [["README.md", "promotions/a.json"], "[]"],
    [["stacks/devx.yaml", "other/stacks/dev.yaml"], "[]"],
    [["backends/fake.yaml"], '["dev","staging","prod"]'],
    [["package-lock.json"], '["dev","staging","prod"]'],
    [["index.js"], '["dev","staging","prod"]'],
  ];
  it.each(cases)("that changes %j plans %s", async (changed, stacks) => {
    const folder = await temporaryFolder();
    const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GITHUB_OUTPUT: join(folder, "output") };
    const author = ["-c", "user.name=a", "-c", "user.email=a@example.net"];
    const git = (...args: string[]) => execFileSync("git", [...author, ...args], { cwd: folder, env, stdio: "pipe" });
    git("init", "--quiet");
    git("commit", "--quiet", "--allow-empty", "--message", "before");
    for (const file of changed) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), "");
    }
    git("add", "--all");
    git("commit", "--quiet", "--message", "after");
    execFileSync("bash", ["-eo", "pipefail", "-c", choose], { cwd: folder, env });
    expect(readFileSync(env.GITHUB_OUTPUT, "utf8")).toBe(`stacks=${stacks}\n`);
  });

  it("is refused by a lock that does not hold, and not for one that is not there yet", async () => {
    const check = stepOf("berth-plan.yml", ({ run }) => run?.includes("lock --check") === true);
    const locks = ["stacks/dev.lock.yaml", "stacks/staging.lock.yaml"];
    expect(await play(check, 0, {}, locks)).toMatchObject({
      status: 0,
      stdout: "berth lock --check dev\nberth lock --check staging\n::notice::stack prod has no lock yet\n",
    });
    expect((await play(check, 1, {}, locks)).status).toBe(1);
  });

  it.each([
    [0, 0],
    [2, 0],
    [1, 1],
    [70, 1],
  ])("whose plan ends with %i gives %i", async (code, status) => {
    // prettier-ignore
    const plan = stepOf("berth-plan.yml", ({ run }) => run?.includes("berth plan") === true);
    expect((await play(plan, code, { STACK: "dev" })).status).toBe(status);
  });
});

describe("an up", () => {
  const up = stepOf("berth-up.yml", ({ run }) => run?.includes("berth up") === true);
  const env = { STACK: "dev", LOCK: "stacks/dev.lock.yaml" };
  it("is Pulumi's, without questions, and fails with it", async () => {
    const { status, stdout } = await play(up, 0, env, [env.LOCK]);
    expect(stdout).toBe("berth up dev -- --yes --skip-preview\n");
    expect(status).toBe(0);
    expect((await play(up, 255, env, [env.LOCK])).status).toBe(255);
  });
  it("passes over an environment that has no lock yet", async () => {
    expect(await play(up, 1, env)).toMatchObject({ status: 0, stdout: "::notice::stack dev has no lock yet\n" });
  });
});

describe("a promotion", () => {
  const promote = stepOf("berth-promote.yml", ({ run }) => run?.includes("berth promote") === true);
  const env = { FROM: "dev", TO: "staging", ONLY: "" };
  it("is of all, or of one deployment alone, whatever it is called", async () => {
    expect((await play(promote, 0, env)).stdout).toBe("berth promote dev staging\n");
    const only = '$(touch x); "a';
    expect((await play(promote, 0, { ...env, ONLY: only })).stdout).toBe(`berth promote dev staging --only ${only}\n`);
  });
  it.each([
    [3, "a gate refuses it"],
    [4, "it cannot be in staging: its hosts, its rules or what it pins do not allow it"],
    [5, "somebody else wrote the lock of staging meanwhile"],
    [1, "berth promote failed with exit code 1"],
  ])("that ends with %i says: %s", async (code, said) => {
    const { status, stdout } = await play(promote, code, env);
    expect(stdout).toContain(`::error::${said}\n`);
    expect(status).toBe(code);
  });
});

describe("a look for drift", () => {
  const look = stepOf("berth-drift.yml", ({ id }) => id === "plan");
  const env = { STACK: "dev", LOCK: "stacks/dev.lock.yaml" };
  it.each([
    [{ plan: 0, facts: 0 }, 0, "drift=false\n"],
    [{ plan: 2, facts: 0 }, 0, "drift=true\n"],
    // A host does not answer.
    [{ plan: 0, facts: 1 }, 0, "drift=true\n"],
    [{ plan: 1, facts: 0 }, 1, ""],
    [{ plan: 1, facts: 1 }, 1, ""],
  ])("that ends with %j gives %i", async (ends, status, output) => {
    expect(await play(look, ends, env, [env.LOCK])).toMatchObject({ status, output });
  });
  it("finds none where nothing was deployed yet", async () => {
    expect(await play(look, 1, env)).toMatchObject({ status: 0, output: "" });
  });
});
