import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { HubServer } from "../support/hub-server.js";
import { ProcessWatch } from "../support/process-watch.js";
import { Sandbox, type Outcome } from "../support/sandbox.js";
import { SshServer, whyNoSshd } from "../support/ssh-server.js";
import { ggufFile } from "../support/weights.js";

const repo = "acme/tiny-GGUF";
const token = "hf_canary-3d07";
const parts = ["tiny-Q4_K_M-00001-of-00002.gguf", "tiny-Q4_K_M-00002-of-00002.gguf"] as const;
const files = {
  "README.md": "# Tiny",
  "tiny-Q8_0.gguf": ggufFile({ "general.architecture": "llama", "general.name": "large" }, 0),
  [parts[0]]: ggufFile({ "general.architecture": "llama", "general.name": "tiny" }, 0),
  [parts[1]]: ggufFile({ "general.architecture": "llama", "general.name": "rest" }, 0),
};

const noSshd = whyNoSshd !== undefined && process.env.BERTH_TEST_ALL !== "1";
const connections = noSshd ? (["local"] as const) : (["local", "ssh"] as const);
const leftOut = noSshd ? ` (over ssh left out: ${whyNoSshd})` : "";

describe.each(connections)(
  `a model of a gated repository, from a mirror of the hub, over %s${leftOut}`,
  (connection) => {
    /** What has nothing to do with how the host is reached. */
    const itOnce = it.runIf(connection === "local");
    let server: SshServer | undefined;
    let hub: HubServer;
    let sandbox: Sandbox;
    let watch: ProcessWatch;
    const outcomes: Outcome[] = [];
    const environment = { BERTH_SECRET_HUB_TOKEN: token };

    beforeAll(async () => {
      hub = await HubServer.start();
      hub.repositories[repo] = { revisions: { main: files }, access: { kind: "gated", token } };
      sandbox = await Sandbox.create();
      if (connection === "ssh") server = await SshServer.start();
      watch = new ProcessWatch([token]);
    });
    afterAll(async () => {
      watch.stop();
      await sandbox.dispose();
      await server?.dispose();
      await hub.close();
    });

    function host(): string {
      const common = `portRange: [${sandbox.portRange.join(", ")}], runtime: supervisord`;
      if (server === undefined) return `{ connection: local, dataDir: host, ${common} }`;
      const { name: _, ...ssh } = server.target();
      return `{ connection: ssh, ssh: ${JSON.stringify(ssh)}, dataDir: "${sandbox.dataDir}", ${common} }`;
    }
    function want(pattern: string): void {
      const from = `source: huggingface, repo: ${repo}, endpoint: "${hub.endpoint}", token: { secret: hub-token }`;
      sandbox.writeStack(`schemaVersion: 1
hosts:
  box: ${host()}
deployments:
  chat:
    backend: fake
    backendVersion: "1"
    model: { ${from}, files: ["${pattern}"] }
    update: { minHealthyTime: 0s, healthyDeadline: 2m, stopTimeout: 2s }
`);
    }
    async function up(args: readonly string[] = [], more: Record<string, string> = {}): Promise<Outcome> {
      const outcome = await sandbox.up(args, { ...environment, ...more });
      outcomes.push(outcome);
      return outcome;
    }
    const model = () => {
      const [found] = sandbox.resources("ModelFiles");
      return found?.outputs as { path: string; sha256: string };
    };
    const lock = () => readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8");

    itOnce("is refused with what there is, while it is not clear which is wanted", async () => {
      want("*");
      const { exitCode, output } = await up();
      expect(exitCode).not.toBe(0);
      expect(output).toContain("the repository holds several GGUF models");
      expect(output).toContain('`files: ["tiny-Q4_K_M-*-of-00002.gguf"]`');
    });

    it("is locked at its commit, fetched with the token, and served from the first of its parts", async () => {
      want("*Q4_K_M*");
      const { exitCode, output } = await up();
      expect(exitCode, output).toBe(0);
      expect(lock()).toContain(`commit: ${hub.commitOf(repo)}`);
      expect(model().path).toBe(join(sandbox.dataDir, "models", model().sha256, parts[0]));
      expect(sandbox.runners()).toHaveLength(1);
      expect(readdirSync(join(model().path, "..")).sort()).toEqual(["placement.json", ...parts]);
    });

    itOnce("stays at that commit when the branch moves on, and needs nothing of the hub", async () => {
      hub.repositories[repo] = { revisions: { main: { ...files, "README.md": "# Other" }, old: files } };
      const before = hub.requests.length;
      const { exitCode, output } = await up(["--expect-no-changes"], { BERTH_FROZEN: "1" });
      expect(exitCode, output).toBe(0);
      outcomes.push(await sandbox.berth(["lock", "test"], environment));
      expect(outcomes.at(-1)?.exitCode, outcomes.at(-1)?.output).toBe(0);
      expect(hub.requests.length).toBe(before);
    });

    it("is drift by the name of the part that was damaged, and mended", async () => {
      writeFileSync(join(model().path, "..", parts[1]), "damaged");
      expect(await sandbox.refreshDrift()).toMatch(/drift: tiny-Q4_K_M-00002-of-00002\.gguf has 7 bytes, expected \d+/);
      const { exitCode, output } = await up();
      expect(exitCode, output).toBe(0);
      expect(await sandbox.refreshDrift()).toBe("");
    });

    itOnce("is listed with its source and who uses it", async () => {
      const listed = await sandbox.berth(["models", "--json"], environment);
      outcomes.push(listed);
      expect(listed.exitCode, listed.output).toBe(0);
      const rows = JSON.parse(listed.output) as Record<string, unknown>[];
      expect(rows.find(({ place }) => place === "in place")).toMatchObject({
        host: "box",
        sha256: model().sha256,
        source: `${repo}@${hub.commitOf(repo, "old").slice(0, 7)}`,
        users: ["chat"],
      });
    });

    itOnce(
      "is moved on by an upgrade alone, which changes nothing on the host while the files are the same",
      async () => {
        outcomes.push(await sandbox.berth(["lock", "test", "--upgrade-models"], environment));
        expect(outcomes.at(-1)?.exitCode, outcomes.at(-1)?.output).toBe(0);
        expect(lock()).toContain(`commit: ${hub.commitOf(repo)}`);
        const [runner] = sandbox.runners();
        const { exitCode, output } = await up();
        expect(exitCode, output).toBe(0);
        expect(sandbox.runners()).toEqual([runner]);
      },
    );

    it("tells its token nobody: it is in no output, state, lock, log, argument or file of the host", () => {
      const told = outcomes.map(({ output }) => output).join("\n");
      for (const [where, text] of Object.entries({ told, lock: lock() }))
        expect(text.includes(token), where).toBe(false);
      expect([...watch.found]).toEqual([]);
      expect(watch.hasSeen(" --model "), "the runner").toBe(true);
      for (const folder of [sandbox.dataDir, sandbox.path(".berth", "state"), sandbox.path(".berth", "logs")]) {
        if (!existsSync(folder)) continue;
        for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
          const file = join(entry.parentPath, entry.name);
          if (entry.isFile()) expect(readFileSync(file).includes(token), file).toBe(false);
        }
      }
    });
  },
);
