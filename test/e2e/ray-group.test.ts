import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { PrivateNetwork, whyNoNetwork } from "../support/private-network.js";
import { Sandbox } from "../support/sandbox.js";
import { whyNoSshd } from "../support/ssh-server.js";
import { repository } from "../support/toolchain.js";

const missing = whyNoNetwork ?? whyNoSshd;
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";

/** Asks a cluster at the address that it is given for its nodes. */
const askScript = `import sys
from ray._raylet import GcsClient
print(len(GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5)))`;

/**
 * Real Ray on real hosts over ssh, each in a network namespace of its own. The engine is a stub: this shows that groups
 * form and are mended, and nothing of vLLM.
 */
describe.skipIf(isLeftOut)(`an instance that has a Ray cluster${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let network: PrivateNetwork;
  let sandbox: Sandbox;

  beforeAll(async () => {
    network = await PrivateNetwork.create(["one", "two"]);
    sandbox = await Sandbox.create();
    sandbox.write("ssh-config", network.configuration());
    cpSync(join(repository, "test", "support", "ray-stub"), sandbox.path("backends"), { recursive: true });
    sandbox.write("model.bin", "no model");
  });
  afterAll(async () => {
    await sandbox.dispose();
    await network.dispose();
  });

  function writeStack({ version = "1", level = "info" } = {}): void {
    const hosts = network.hosts.map(
      ({ name, address }) =>
        `  ${name}: { privateAddress: ${address}, dataDir: "${sandbox.path(name)}", ssh: { address: ${name} } }\n`,
    );
    const index = process.env.PIP_INDEX_URL;
    sandbox.writeStack(`schemaVersion: 1
hostDefaults:
  connection: ssh
  ssh: { configFile: ssh-config, downloads: push }
  runtime: supervisord
  portRange: [${sandbox.portRange.join(", ")}]
hosts:
${hosts.join("")}
${index === undefined ? "" : `mirrors: { pip: "${index}" }\n`}deployments:
  chat:
    backend: ray-stub
    backendVersion: "${version}"
    placement: { distributed: true }
    resources: { ramBytes: 100000000 }
    parameters: [--pipeline-parallel-size, "2"]
    env: { LEVEL: ${level} }
    bindAddress: ${network.host("one").address}
    insecure: true
    update: { minHealthyTime: 0s }
    model: { source: file, path: "${sandbox.path("model.bin")}", sha256: ${sha256("no model")} }
`);
  }

  const environment = () => ({ XDG_RUNTIME_DIR: network.folder });
  const pulumi = (args: string[]) => sandbox.pulumi([...args, "--stack", "test"], environment());
  const status = async () => (await sandbox.berth(["status", "test"], environment())).output;

  async function up(args: string[] = []): Promise<string> {
    const { exitCode, output } = await pulumi(["up", "--yes", "--skip-preview", ...args]);
    expect(exitCode, output).toBe(0);
    return output;
  }

  /** Through which nodes an answer went; which is the first, Ray decides. */
  async function ask(): Promise<string> {
    const stack = sandbox.resources().find(({ type }) => type === "pulumi:pulumi:Stack");
    const { chat = "" } = stack?.outputs.endpoints as Record<string, string>;
    const body = JSON.stringify({ model: "chat", prompt: "through", max_tokens: 8 });
    const response = await fetch(`${chat}/completions`, { method: "POST", body });
    const answer = (await response.json()) as { choices?: { text: string }[] };
    const [through = "", ...nodes] = answer.choices?.[0]?.text.split(" ") ?? [];
    return [through, ...nodes.sort()].join(" ");
  }

  const throughBoth = () => `through ${network.host("one").address} ${network.host("two").address}`;

  interface Process {
    readonly pid: number;
    readonly line: string;
    readonly environment: string;
  }

  /** What was started below the sandbox: Ray's workers name themselves, so their environment tells. */
  function processes(): Process[] {
    return readdirSync("/proc").flatMap((name) => {
      const read = (file: string) => readFileSync(join("/proc", name, file), "utf8").replaceAll("\0", " ");
      try {
        const [line, variables] = [read("cmdline"), read("environ")];
        const isOwn = /^\d+$/.test(name) && variables.includes("RAY_AUTH_TOKEN_PATH=" + sandbox.root);
        return isOwn ? [{ pid: Number(name), line, environment: variables }] : [];
      } catch {
        return [];
      }
    });
  }

  const heads = () => processes().filter(({ line }) => line.includes(" start --block ") && line.includes("--head"));
  const members = () => processes().filter(({ line }) => line.includes(" start --block ") && !line.includes("--head"));
  /** In which a node's sockets are. */
  const folders = () => processes().flatMap(({ line }) => / --temp-dir (\S+)\/r/.exec(line)?.[1] ?? []);
  const tokenOf = ({ environment: text }: Process) => /RAY_AUTH_TOKEN_PATH=(.*?\/token) /.exec(text)?.[1] ?? "";
  const pythonOf = ({ line }: Process) => line.slice(0, line.indexOf(" -I "));

  /** Kills a node, and waits until its supervisor has seen it. */
  async function kill(find: () => Process[]): Promise<void> {
    const [node] = find();
    if (node === undefined) throw new Error("no such node runs");
    process.kill(node.pid, "SIGKILL");
    await expect.poll(() => find().map(({ pid }) => pid), { timeout: 20_000 }).not.toContain(node.pid);
  }

  it("forms, and answers through both hosts", async () => {
    writeStack();
    await up();
    expect(await ask()).toBe(throughBoth());
    expect(heads()).toHaveLength(1);
    expect(members()).toHaveLength(1);
  });

  it("changes nothing when nothing was changed", async () => {
    await up(["--expect-no-changes"]);
    expect(await ask()).toBe(throughBoth());
  });

  it("has its token in no argument, in no lock, and in the state as a secret alone", async () => {
    const [head, member] = [heads()[0], members()[0]];
    if (head === undefined || member === undefined) throw new Error("a node does not run");
    const token = readFileSync(tokenOf(head), "utf8");
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(readFileSync(tokenOf(member), "utf8")).toBe(token);
    expect(execFileSync("stat", ["-c", "%a", tokenOf(head), tokenOf(member)], { encoding: "utf8" })).toBe("600\n600\n");
    expect(processes().map(({ line }) => line.includes(token))).not.toContain(true);
    expect(readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8")).not.toContain(token);
    const state = sandbox.path(".berth", "state", ".pulumi");
    expect((await execa("grep", ["-r", "-l", token, state], { reject: false })).stdout).toBe("");
    for (const { outputs } of sandbox.resources("Subordinate"))
      expect(outputs.token ?? outputs.clusterToken).toHaveProperty("ciphertext");
  });

  it("has its sockets where nobody else gets to", () => {
    expect(folders().map((folder) => (statSync(folder).mode & 0o777).toString(8))).toEqual(["700", "700"]);
  });

  it("tells nothing to somebody without the token, wherever he is", async () => {
    const [head] = heads();
    if (head === undefined) throw new Error("no head runs");
    const address = /--node-ip-address (\S+) --head --port (\d+)/.exec(head.line)?.slice(1).join(":") ?? "";
    const asks = (variables: Record<string, string>) =>
      execa("ip", ["netns", "exec", network.host("two").namespace, pythonOf(head), "-I", "-c", askScript, address], {
        env: { PATH: process.env.PATH, HOME: sandbox.root, ...variables },
        extendEnv: false,
        reject: false,
      });
    const known = await asks({ RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN_PATH: tokenOf(head) });
    expect(known.stdout).toBe("2");
    for (const variables of [
      { RAY_AUTH_MODE: "disabled" },
      { RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN: "0".repeat(64) },
    ]) {
      const stranger = await asks(variables);
      expect(stranger.stdout).toBe("");
      expect(stranger.stderr).toContain("AuthenticationError");
    }
  });

  it.each([
    ["a member", members, /on two: its node (came back by itself|does not run|is not in its Ray cluster)/],
    ["its head", heads, /on one: its (node (came back by itself|does not run)|Ray cluster does not answer)/],
  ])("is told to be unhealthy when %s is killed, and one up forms it anew", async (_, find, told) => {
    await kill(find);
    expect(await status()).toMatch(told);
    const { output: found } = await pulumi(["refresh", "--yes", "--skip-preview"]);
    expect(found).toMatch(/chat-0\.(one|two)\.\d+\] drift: its /);
    await up();
    expect(await ask()).toBe(throughBoth());
    expect(await status()).not.toMatch(/on (one|two): /);
    expect([heads().length, members().length]).toEqual([1, 1]);
  });

  it("is not joined by a node of another version", async () => {
    const [member] = members();
    if (member === undefined) throw new Error("no member runs");
    const packages = join(dirname(dirname(pythonOf(member))), "lib");
    const found = readdirSync(packages, { recursive: true }).map(String);
    const metadata = join(packages, found.find((path) => path.endsWith("ray-2.60.0.dist-info/METADATA")) ?? "");
    const before = readFileSync(metadata, "utf8");
    writeFileSync(metadata, before.replace(/^Version: .*$/m, "Version: 2.59.0"));
    writeStack({ level: "debug" });
    const { exitCode, output } = await pulumi(["up", "--yes", "--skip-preview", "--refresh=false"]);
    expect(exitCode, output).not.toBe(0);
    expect(output).toContain("not all nodes of the Ray cluster have the same versions");
    expect(output).toMatch(/got: ray 2\.59\.0, Python \S+\s+expected: ray 2\.60\.0, Python/);
    writeFileSync(metadata, before);
  });

  it("is replaced as a whole by another version", async () => {
    const before = processes().map(({ pid }) => pid);
    writeStack({ version: "2", level: "debug" });
    const said = await up();
    expect(await ask(), said).toBe(throughBoth());
    const now = [...heads(), ...members()];
    expect(now.map(({ line }) => /backends\/(ray-stub_\d)/.exec(line)?.[1])).toEqual(["ray-stub_2", "ray-stub_2"]);
    expect(processes().filter(({ pid }) => before.includes(pid))).toEqual([]);
  });

  it("tells what its nodes wrote", async () => {
    const { exitCode, output } = await sandbox.berth(["logs", "chat", "--stack", "test"], environment());
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/chat-0\.two \| .*Ray runtime started/);
    expect(output).toMatch(/chat-0 \| .*ray-stub: stages on/);
  });

  it("leaves no process and no file but the cache when it is destroyed", async () => {
    const before = folders();
    expect(before).toHaveLength(2);
    const { exitCode, output } = await pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(exitCode, output).toBe(0);
    await expect.poll(() => processes().map(({ line }) => line), { timeout: 10_000 }).toEqual([]);
    for (const folder of before) expect(existsSync(folder), folder).toBe(false);
    for (const { name } of network.hosts) expect(readdirSync(sandbox.path(name))).toEqual(["cache"]);
  });
});
