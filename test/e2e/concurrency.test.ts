import { existsSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
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

/** A third stack is there all the while: what the others share stays installed, and its runner has to be left alone. */
const bystander = "base";

/** Cycles of different lengths, so that over twelve rounds each move of one stack meets each of the other. */
const cycles = {
  test: ["create", "change", "destroy"],
  other: ["create", "change", "change", "destroy"],
} as const satisfies Record<string, readonly Move[]>;
type StackName = keyof typeof cycles;
const names = Object.keys(cycles) as StackName[];

/** In every fifth round the provider of one stack is killed, when it has begun this step of its instance. */
const killPoints = {
  create: { operation: "create", step: "start the runner" },
  change: { operation: "update", step: "start the runner" },
  destroy: { operation: "delete", step: "stop the runner" },
} as const;

const moveOf = (stack: StackName, round: number): Move => cycles[stack][round % cycles[stack].length] ?? "create";

describe("two stacks that change one host at the same moment", () => {
  let server: FileServer;
  let sandbox: Sandbox;

  /** Not Berth's, and on one of the ports that it may choose. */
  const foreign = createServer((_, response) => response.end("foreign"));

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
    await new Promise<void>((resolve) => foreign.listen(sandbox.portRange[0] + 1, "127.0.0.1", resolve));
    for (const stack of ["other", bystander])
      expect(await sandbox.pulumi(["stack", "init", stack])).toMatchObject({ exitCode: 0 });
  });
  afterAll(async () => {
    foreign.close();
    await sandbox.dispose();
    await server.close();
  });

  let bystanderRunner: number | undefined;

  const words = (stack: StackName, round: number) => `${stack}-${round}`;

  function write(stack: string, text: string): void {
    const fields = [`extraParameters: ["--text", "${text}"]`];
    sandbox.write(join("stacks", `${stack}.yaml`), fakeStack(server, sandbox.portRange, { chat: { fields } }));
  }

  const up = (stack: string, environment?: Record<string, string>) =>
    sandbox.pulumi(["up", "--yes", "--skip-preview", "--stack", stack], environment);

  function make(stack: StackName, round: number, environment: Record<string, string> = {}): Promise<Outcome> {
    if (moveOf(stack, round) === "destroy")
      return sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", stack], environment);
    // A stack that begins anew has no port yet, and wants the same one as the other.
    if (moveOf(stack, round) === "create") rmSync(sandbox.path("stacks", `${stack}.lock.yaml`), { force: true });
    write(stack, words(stack, round));
    return up(stack, environment);
  }

  function killing(stack: StackName, round: number): Record<string, string> {
    const point = { ...killPoints[moveOf(stack, round)], kind: "Instance", name: "chat-0", victim: "provider" };
    return {
      NODE_OPTIONS: `--import=${pathToFileURL(join(repository, "test", "support", "kill-hook.mjs")).href}`,
      BERTH_TEST_KILL: JSON.stringify({ ...point, marker: sandbox.path(`killed-${round}`) }),
    };
  }

  function endpointOf(stack: string): string | undefined {
    const [instance] = sandbox.resources("Instance", stack);
    return instance?.outputs.endpoint as string | undefined;
  }

  async function expectRound(round: number): Promise<void> {
    const present = names.filter((stack) => moveOf(stack, round) !== "destroy");
    await expectServing({
      [bystander]: "base",
      ...Object.fromEntries(present.map((stack) => [stack, words(stack, round)])),
    });
  }

  /** Each of the stacks answers as it should, on a port of its own, and nothing else runs or is claimed. */
  async function expectServing(texts: Record<string, string>): Promise<void> {
    const endpoints = Object.keys(texts).map(endpointOf);
    expect(new Set(endpoints).size).toBe(endpoints.length);
    for (const [index, text] of Object.values(texts).entries()) {
      const response = await fetch(`${endpoints[index] ?? ""}/completions`, { method: "POST", body: "{}" });
      expect(await response.json()).toEqual({ choices: [{ text }] });
    }
    expect(sandbox.runners()).toHaveLength(endpoints.length);
    expect(sandbox.runners()).toContain(bystanderRunner);
    const claims = endpoints.map((endpoint = "") => `port-${new URL(endpoint).port}.json`);
    expect(readdirSync(sandbox.path("host", "claims")).sort()).toEqual(claims.sort());
    expect(sandbox.hostFiles().filter((file) => file.startsWith("lock.json"))).toEqual([]);
  }

  it("begins with a frozen lock whose port another stack has by now: refused, by name, before anything is touched", async () => {
    write("other", "early");
    expect(await sandbox.berth(["lock", "other"])).toMatchObject({ exitCode: 0 });
    write(bystander, "base");
    expect(await up(bystander)).toMatchObject({ exitCode: 0 });
    [bystanderRunner] = sandbox.runners();
    const { exitCode, output } = await up("other", { BERTH_FROZEN: "1" });
    expect(exitCode).not.toBe(0);
    expect(output).toContain("host local: chat-0: the port belongs to another instance");
    expect(output).toContain(`got: port ${sandbox.portRange[0]} of sandbox/base, chat-0`);
    expect(readdirSync(sandbox.path("host", "instances"))).toEqual(["sandbox+base+chat-0"]);
    await expectServing({ [bystander]: "base" });
  });

  it.each(Array.from({ length: rounds }, (_, round) => round))(
    "round %i: both runners answer, on ports of their own, and no lock is left",
    async (round) => {
      const victim = round % 5 === 2 ? names[(round + 1) % 2] : undefined;
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

  it("ends with nothing left on the host but the download cache and what is not Berth's", async () => {
    sandbox.write(join("host", "notes.txt"), "not Berth's");
    for (const stack of [...names, bystander])
      expect(
        await sandbox.pulumi(["destroy", "--yes", "--skip-preview", "--stack", stack, "--refresh=false"]),
      ).toMatchObject({ exitCode: 0 });
    expect(sandbox.runners()).toEqual([]);
    expect(sandbox.hostFiles()).toEqual(["cache", "notes.txt"]);
    const answer = await fetch(`http://127.0.0.1:${sandbox.portRange[0] + 1}`);
    expect(await answer.text()).toBe("foreign");
  });
});
