import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fakeStack, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { Sandbox, type Outcome } from "../support/sandbox.js";
import { repository } from "../support/toolchain.js";

/** All rounds; otherwise a few. */
const rounds = process.env.BERTH_TEST_ALL === "1" ? 20 : 3;

type Move = "create" | "change" | "destroy";

/** Cycles of different lengths, so that over twelve rounds each move of one stack meets each of the other. */
const cycles = {
  test: ["create", "change", "destroy"],
  other: ["create", "change", "change", "destroy"],
} as const satisfies Record<string, readonly Move[]>;
type StackName = keyof typeof cycles;
const names = Object.keys(cycles) as StackName[];

/** In every third round the provider of one stack is killed, when it has begun this step of its instance. */
const killPoints = {
  create: { operation: "create", step: "start the runner" },
  change: { operation: "update", step: "start the runner" },
  destroy: { operation: "delete", step: "stop the runner" },
} as const;

const moveOf = (stack: StackName, round: number): Move => cycles[stack][round % cycles[stack].length] ?? "create";

describe("two stacks that change one host at the same moment", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    expect(await sandbox.pulumi(["stack", "init", "other"])).toMatchObject({ exitCode: 0 });
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  const words = (stack: StackName, round: number) => `${stack}-${round}`;

  function make(stack: StackName, round: number, environment: Record<string, string> = {}): Promise<Outcome> {
    if (moveOf(stack, round) === "destroy")
      return sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", stack], environment);
    // A stack that begins anew has no port yet, and wants the same one as the other.
    if (moveOf(stack, round) === "create") rmSync(sandbox.path("stacks", `${stack}.lock.yaml`), { force: true });
    const fields = [`extraParameters: ["--text", "${words(stack, round)}"]`];
    sandbox.write(join("stacks", `${stack}.yaml`), fakeStack(server, sandbox.portRange, { chat: { fields } }));
    return sandbox.pulumi(["up", "--yes", "--skip-preview", "--stack", stack], environment);
  }

  function killing(stack: StackName, round: number): Record<string, string> {
    const point = { ...killPoints[moveOf(stack, round)], kind: "Instance", name: "chat-0", victim: "provider" };
    return {
      NODE_OPTIONS: `--import=${pathToFileURL(join(repository, "test", "support", "kill-hook.mjs")).href}`,
      BERTH_TEST_KILL: JSON.stringify({ ...point, marker: sandbox.path(`killed-${round}`) }),
    };
  }

  function endpointOf(stack: StackName): string | undefined {
    const [instance] = sandbox.resources("Instance", stack);
    return instance?.outputs.endpoint as string | undefined;
  }

  async function expectRound(round: number): Promise<void> {
    const present = names.filter((stack) => moveOf(stack, round) !== "destroy");
    const endpoints = present.map(endpointOf);
    expect(new Set(endpoints).size).toBe(present.length);
    for (const [index, stack] of present.entries()) {
      const response = await fetch(`${endpoints[index] ?? ""}/completions`, { method: "POST", body: "{}" });
      expect(await response.json()).toEqual({ choices: [{ text: words(stack, round) }] });
    }
    expect(sandbox.runners()).toHaveLength(present.length);
    const claims = endpoints.map((endpoint = "") => `port-${new URL(endpoint).port}.json`);
    const claimed = sandbox.path("host", "claims");
    expect(existsSync(claimed) ? readdirSync(claimed).sort() : []).toEqual(claims.sort());
    expect(sandbox.hostFiles().filter((file) => file.startsWith("lock.json"))).toEqual([]);
  }

  it.each(Array.from({ length: rounds }, (_, round) => round))(
    "round %i: both runners answer, on ports of their own, and no lock is left",
    async (round) => {
      const victim = round % 3 === 2 ? names[(round + 1) % 2] : undefined;
      const begun = performance.now();
      const outcomes = await Promise.all(
        names.map(async (stack) => {
          const outcome = await make(stack, round, stack === victim ? killing(stack, round) : {});
          if (stack !== victim) return outcome;
          expect(existsSync(sandbox.path(`killed-${round}`)), outcome.output).toBe(true);
          expect(outcome.exitCode).not.toBe(0);
          return make(stack, round);
        }),
      );
      if (process.env.BERTH_TEST_TIMES === "1")
        console.log(`round ${round}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
      for (const { exitCode, output } of outcomes) expect(exitCode, output).toBe(0);
      await expectRound(round);
    },
  );
});
