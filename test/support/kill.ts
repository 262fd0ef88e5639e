import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { chain } from "./chain.js";
import { fakeStack, serveModels } from "./fake-stack.js";
import type { FileServer } from "./file-server.js";
import { casesOf, type Case, type KillPoint, type Scenario, type Victim, type Wanted } from "./kill-cases.js";
import { Sandbox, type StateResource } from "./sandbox.js";
import { repository } from "./toolchain.js";

export const keep = { answers: "five" };
export const chat = { answers: "five" };
export const only: Wanted = { deployments: { keep } };
export const both: Wanted = { deployments: { keep, chat } };

/** The steps of an operation, and its end. */
export function points(kind: string, operation: KillPoint["operation"], name: string, steps: string[]): KillPoint[] {
  return [...steps, "end"].map((step) => ({ kind, operation, name, step }));
}

/**
 * Tests the scenarios, in one project: each begins where another ended, where that goes. Each point meets the death of
 * the provider, every third one by turns that of the engine alone or of both too, and over them each follow-up.
 */
export function describeKills(scenarios: readonly Scenario[]): void {
  describe("killed in the middle of", () => {
    let server: FileServer;
    let sandbox: Sandbox;
    /** What the test before has brought about, if it went well. */
    let present: Wanted | undefined;

    beforeAll(async () => {
      server = await serveModels();
      sandbox = await Sandbox.create();
    });
    afterAll(async () => {
      await sandbox.dispose();
      await server.close();
    });

    for (const one of chain<Wanted, Case>(scenarios.flatMap(casesOf))) {
      const { scenario, point, victim, followUp, folderStays } = one;
      const title = `${scenario.title} at "${point.step}", ${victim}: the next up with the ${followUp} stack converges`;
      it(title, async () => {
        const before = present;
        present = undefined;
        // What a known gap has left there; it has a test of its own.
        if (before !== undefined && before.second !== true)
          rmSync(sandbox.path("second"), { recursive: true, force: true });
        if (!isDeepStrictEqual(before, one.from)) await bringTo(sandbox, server, one.from);
        const steady = followUp === "removed" ? undefined : scenario.steady;
        const failures = await watch(sandbox, steady, () => killAndGoOn(sandbox, server, one));
        present = one.to;
        expect(failures).toEqual([]);
      });
      if (!folderStays) continue;
      it(`${title}, and leaves no folder`, { fails: true }, () => {
        expect(existsSync(sandbox.path("second"))).toBe(false);
      });
    }
  });
}

/** Asks a deployment ten times a second while something is done; tells what went wrong. */
async function watch(sandbox: Sandbox, deployment: string | undefined, action: () => Promise<void>): Promise<string[]> {
  const failures: string[] = [];
  const url = deployment === undefined ? undefined : endpointsOf(sandbox)[deployment];
  const ask = async () => {
    const { status } = await fetch(`${url ?? ""}/completions`, { method: "POST", body: "{}" });
    if (status !== 200) failures.push(`HTTP ${status}`);
  };
  const timer = setInterval(() => {
    if (url !== undefined) ask().catch((error: unknown) => failures.push(String(error)));
  }, 100);
  await action().finally(() => {
    clearInterval(timer);
  });
  return failures;
}

function endpointsOf(sandbox: Sandbox): Record<string, string> {
  const stack = sandbox.resources().find(({ type }) => type === "pulumi:pulumi:Stack");
  return (stack?.outputs.endpoints ?? {}) as Record<string, string>;
}

/** Kills at a point, goes on as the user would, and looks whether what is there is what is wanted. */
async function killAndGoOn(sandbox: Sandbox, server: FileServer, one: Case): Promise<void> {
  const { scenario, point, victim, followUp, next, folderStays } = one;
  scenario.damage?.(sandbox);

  writeStack(sandbox, server, scenario.edited);
  await upAndKill(sandbox, point, victim);
  if (victim !== "provider") {
    expect(sandbox.stateLocks()).toHaveLength(1);
    const recovered = await sandbox.berth(["recover", "test"]);
    expect(recovered.exitCode, recovered.output).toBe(0);
  }
  writeStack(sandbox, server, next);
  const { exitCode, output } = await sandbox.up();
  if (scenario.fails === true && followUp === "same") {
    expect(output).toContain("the runner before it serves again");
    await expectPresent(sandbox, scenario.base);
    return;
  }
  expect(exitCode, output).toBe(0);
  await expectPresent(sandbox, next, folderStays);
}

/** Brings the stack up, and kills the victim when the step begins. */
export async function upAndKill(sandbox: Sandbox, point: KillPoint, victim: Victim): Promise<void> {
  const marker = sandbox.path("killed");
  rmSync(marker, { force: true });
  const { exitCode, output } = await sandbox.up([], {
    NODE_OPTIONS: `--import=${pathToFileURL(join(repository, "test", "support", "kill-hook.mjs")).href}`,
    BERTH_TEST_KILL: JSON.stringify({ ...point, victim, marker }),
  });
  expect(existsSync(marker), `the step never began:\n${output}`).toBe(true);
  expect(exitCode).not.toBe(0);
}

async function bringTo(sandbox: Sandbox, server: FileServer, wanted: Wanted): Promise<void> {
  writeStack(sandbox, server, wanted);
  const { exitCode, output } = await sandbox.up();
  expect(exitCode, output).toBe(0);
}

function writeStack(sandbox: Sandbox, server: FileServer, { deployments, second = false }: Wanted): void {
  const text = fakeStack(server, sandbox.portRange, deployments);
  const host = "  second: { connection: local, dataDir: second }\n";
  sandbox.writeStack(second ? text.replace(/^hosts:\n/m, `hosts:\n${host}`) : text);
}

/** One runner for each deployment that is wanted, each answering as it should, and nothing else on the host. */
async function expectPresent(
  sandbox: Sandbox,
  { deployments, second = false }: Wanted,
  folderStays = false,
): Promise<void> {
  const resources = sandbox.resources();
  const endpoints = endpointsOf(sandbox);
  expect(Object.keys(endpoints).sort()).toEqual(Object.keys(deployments).sort());
  for (const [name, { answers }] of Object.entries(deployments)) {
    const response = await fetch(`${endpoints[name] ?? ""}/completions`, { method: "POST", body: "{}" });
    expect(await response.json()).toEqual({ choices: [{ text: answers }] });
  }
  expect(sandbox.runners()).toHaveLength(Object.keys(deployments).length);

  const recorded = resources.filter(({ type }) => type.includes("/berth:")).map(describeResource);
  const folders = [sandbox.dataDir, ...(second ? [sandbox.path("second")] : [])];
  expect(folders.flatMap(journal).sort()).toEqual(recorded.sort());
  if (!folderStays) expect(existsSync(sandbox.path("second"))).toBe(second);

  const names = Object.keys(deployments).map((name) => `sandbox+test+${name}-0`);
  expect(list(sandbox, "instances")).toEqual(names.sort());
  const programs = list(sandbox, "supervisor", "programs").map((file) => file.replace(/(\.[0-9a-f]+)+\.conf$/, ""));
  const gateways = resources.some(({ type }) => type.endsWith("/berth:Gateway")) ? ["gateway"] : [];
  expect(programs.sort()).toEqual([...Object.keys(deployments).map((name) => `${name}-0`), ...gateways].sort());
  expect(sandbox.gateways().length > 0).toBe(gateways.length > 0);
  expect(list(sandbox, "bin")).toEqual(list(sandbox, "backends"));
}

function describeResource({ type, outputs }: StateResource): string {
  return `${type.split(":").at(-1) ?? ""}.${String(outputs.name)}`;
}

/** The resources that a data directory's journal has; an open operation fails the test. */
function journal(dataDir: string): string[] {
  return readdirSync(join(dataDir, "journal")).map((file) => {
    const entry = JSON.parse(readFileSync(join(dataDir, "journal", file), "utf8")) as {
      kind: string;
      name: string;
      open?: unknown;
    };
    expect(entry.open, file).toBeUndefined();
    return `${entry.kind}.${entry.name}`;
  });
}

function list(sandbox: Sandbox, ...folder: string[]): string[] {
  const path = join(sandbox.dataDir, ...folder);
  return existsSync(path) ? readdirSync(path).sort() : [];
}
