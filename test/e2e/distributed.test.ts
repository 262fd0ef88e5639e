import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";

import type { FileServer } from "../support/file-server.js";
import { hasLlamaBuilds, llamaBuildsFile, serveLlamaBuilds, type LlamaBuild } from "../support/llama-builds.js";
import { HubServer } from "../support/hub-server.js";
import { PrivateNetwork, whyNoNetwork } from "../support/private-network.js";
import { fetchQuickstartModel } from "../support/quickstart-model.js";
import { Sandbox } from "../support/sandbox.js";
import { whyNoSshd } from "../support/ssh-server.js";

const missing =
  whyNoNetwork ?? whyNoSshd ?? (hasLlamaBuilds() ? undefined : "no builds of llama-server beside this checkout");
const isLeftOut = missing !== undefined && process.env.BERTH_TEST_ALL !== "1";
const repo = "acme/gemma-GGUF";
const mib = 2 ** 20;
/** What each host has for instances: too little for the model, which takes 328 MiB on one. */
const roomBytes = 300 * mib;

interface Subordinate {
  readonly host: string;
  readonly port: number;
  readonly serverPort: number;
}

/** Real hosts over ssh, each in a network namespace of its own, and real processes of llama.cpp with a real model. */
describe.skipIf(isLeftOut)(`an instance that has two hosts${isLeftOut ? ` (left out: ${missing})` : ""}`, () => {
  let mirror: FileServer;
  let hub: HubServer;
  let network: PrivateNetwork;
  let sandbox: Sandbox;

  beforeAll(async () => {
    mirror = await serveLlamaBuilds();
    hub = await HubServer.start();
    hub.repositories[repo] = {
      revisions: { main: { "gemma-Q4_K_M.gguf": readFileSync(await fetchQuickstartModel()) } },
    };
    network = await PrivateNetwork.create(["one", "two"]);
    sandbox = await Sandbox.create();
    sandbox.write("ssh-config", network.configuration());
    sandbox.write(join("backends", "llama-cpp.yaml"), llamaBuildsFile());
  });
  afterAll(async () => {
    await sandbox.dispose();
    await network.dispose();
    await mirror.close();
    await hub.close();
  });

  function writeStack(build: LlamaBuild, { placement = "{ distributed: true }", extra = "" } = {}): void {
    const reserved = totalmem() - roomBytes;
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
  reserved: { ramBytes: ${reserved} }
hosts:
${hosts.join("")}
mirrors: { downloadBaseUrl: "${mirror.url("/tools")}"${index === undefined ? "" : `, pip: "${index}"`} }
deployments:
  chat:
    backend: llama-cpp
    backendVersion: "${build}"
    contextLength: 512
    extraParameters: [${extra}]
    placement: ${placement}
    bindAddress: ${network.host("one").address}
    insecure: true
    update: { minHealthyTime: 0s }
    model:
      source: huggingface
      repo: ${repo}
      endpoint: "${hub.endpoint}"
      files: ["*.gguf"]
`);
  }

  const environment = () => ({ XDG_RUNTIME_DIR: network.folder });
  const pulumi = (args: string[]) => sandbox.pulumi([...args, "--stack", "test"], environment());

  async function up(): Promise<string> {
    const { exitCode, output } = await pulumi(["up", "--yes", "--skip-preview"]);
    expect(exitCode, output).toBe(0);
    return output;
  }

  function subordinate(): Subordinate {
    const lock = parse(readFileSync(sandbox.path("stacks", "test.lock.yaml"), "utf8")) as {
      placement: { instances: Record<string, { subordinates: Subordinate[] }> };
    };
    const [found] = lock.placement.instances["chat-0"]?.subordinates ?? [];
    if (found === undefined) throw new Error("the lock has no subordinate");
    return found;
  }

  /** Which build answers, by the answer itself. */
  async function ask(): Promise<string> {
    const stack = sandbox.resources().find(({ type }) => type === "pulumi:pulumi:Stack");
    const { chat = "" } = stack?.outputs.endpoints as Record<string, string>;
    const body = JSON.stringify({ model: "chat", prompt: "The capital of France is", max_tokens: 8, temperature: 0 });
    const response = await fetch(`${chat}/completions`, { method: "POST", body });
    const answer = (await response.json()) as { choices: { text: string }[]; system_fingerprint: string };
    expect(answer.choices[0]?.text).toMatch(/city|country|capital|Paris/);
    return answer.system_fingerprint;
  }

  /** Processes of the sandbox's hosts by a part of their command line. */
  function processes(text: string): { pid: number; line: string }[] {
    const lines = execFileSync("ps", ["-axww", "-o", "pid=,args="], { encoding: "utf8" }).split("\n");
    return lines.flatMap((line) => {
      const [, pid = "", rest = ""] = /^ *(\d+) (.*)$/.exec(line) ?? [];
      return rest.includes(sandbox.root) && rest.includes(text) ? [{ pid: Number(pid), line: rest }] : [];
    });
  }

  const servers = () => processes("/ggml-rpc-server -H");

  it("is refused while it may not have two, and told that it would fit", async () => {
    writeStack("b11434", { placement: "{}" });
    const { exitCode, output } = await sandbox.berth(["lock", "test"], environment());
    expect(exitCode, output).not.toBe(0);
    expect(output).toContain("would fit over 2 hosts, one, two, with `placement: { distributed: true }`");
  });

  it("has its layers on both, and answers", async () => {
    writeStack("b11434");
    await up();
    expect(await ask()).toMatch(/b?11434/);
    const { host, port, serverPort } = subordinate();
    const [server] = servers();
    expect(servers()).toHaveLength(1);
    expect(server?.line).toContain(`${sandbox.path(host)}/`);
    expect(server?.line).toContain(`-H 127.0.0.1 -p ${serverPort}`);
    const [primary] = processes(" --rpc ");
    expect(primary?.line).toContain(`--rpc ${network.host(host).address}:${port}`);
    // A server without layers has about 15 MiB.
    const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server?.pid}/status`, "utf8"))?.[1]);
    expect(resident / 1024).toBeGreaterThan(50);
    expect(existsSync(sandbox.path(host, "models"))).toBe(false);
  });

  it("changes nothing when nothing was changed", async () => {
    const { exitCode, output } = await pulumi(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
    expect(exitCode, output).toBe(0);
    expect(await ask()).toMatch(/b?11434/);
  });

  it("lets nobody but the primary's host to its server", async () => {
    const { host, port, serverPort } = subordinate();
    const { address } = network.host(host);
    expect(await network.sayHello(address, port)).toBe("");
    expect(await network.sayHello(address, port, host)).toBe("");
    for (const from of [undefined, "one", "two"].filter((name) => name !== host))
      expect(await network.sayHello(address, serverPort, from)).toBe("");
    expect(await ask()).toMatch(/b?11434/);
  });

  it("is told to be unhealthy when its server is killed, and one up mends it", async () => {
    const [server] = servers();
    if (server === undefined) throw new Error("no server runs");
    process.kill(server.pid, "SIGKILL");
    await expect.poll(() => servers().map(({ pid }) => pid), { timeout: 20_000 }).not.toContain(server.pid);
    const { output: status } = await sandbox.berth(["status", "test"], environment());
    expect(status).toMatch(/on (one|two): its server (came back by itself|does not run)/);
    const { output: found } = await pulumi(["refresh", "--yes", "--skip-preview"]);
    expect(found).toMatch(/chat-0\.(one|two)\.\d+\] drift: its server/);
    await up();
    expect(await ask()).toMatch(/b?11434/);
    const { output } = await sandbox.berth(["status", "test"], environment());
    expect(output).toMatch(/none/);
    expect(output).not.toContain("came back");
  });

  it("serves as before when a new group does not answer", async () => {
    const before = servers();
    writeStack("b11435", { extra: "--no-such-flag" });
    const { exitCode, output } = await pulumi(["up", "--yes", "--skip-preview"]);
    expect(exitCode, output).not.toBe(0);
    expect(output).toContain("the runner before it serves again");
    expect(await ask()).toMatch(/b?11434/);
    expect(servers()).toEqual(expect.arrayContaining(before));
  });

  it("has one version on both: another one replaces the primary and its server", async () => {
    const before = servers().find(({ line }) => line.includes("b11434"));
    expect(before).toBeDefined();
    writeStack("b11435");
    const said = await up();
    expect(await ask()).toMatch(/b?11435/);
    expect(
      servers().map(({ line }) => line.includes("b11435")),
      said,
    ).toEqual([true]);
    expect(servers()).not.toContainEqual(before);
    expect(processes(" --rpc ").map(({ line }) => line.includes("llama-cpp_b11435"))).toEqual([true]);
  });

  it("is as it was known last when the other host does not answer", async () => {
    const { host } = subordinate();
    const { server } = network.host(host);
    sandbox.write("ssh-config", network.configuration().replace(`Port ${server.port}`, "Port 1"));
    await network.endConnections();
    const { output } = await pulumi(["refresh", "--yes", "--skip-preview"]);
    expect(output).toContain(`host ${host} does not answer`);
    expect(sandbox.resources("Subordinate")[0]?.outputs).toMatchObject({ reachable: false, drift: [] });
    sandbox.write("ssh-config", network.configuration());
    await pulumi(["refresh", "--yes", "--skip-preview"]);
    expect(sandbox.resources("Subordinate")[0]?.outputs).toMatchObject({ reachable: true });
  });

  it("tells what its server wrote", async () => {
    const { exitCode, output } = await sandbox.berth(["logs", "chat", "--stack", "test"], environment());
    expect(exitCode, output).toBe(0);
    expect(output).toMatch(/chat-0\.(one|two) \| .*RPC server/);
  });

  it("leaves nothing but the cache when it is destroyed", async () => {
    const { exitCode, output } = await pulumi(["destroy", "--yes", "--skip-preview"]);
    expect(exitCode, output).toBe(0);
    expect(processes("ggml-rpc-server")).toEqual([]);
    for (const { name } of network.hosts) expect(readdirSync(sandbox.path(name))).toEqual(["cache"]);
  });
});
