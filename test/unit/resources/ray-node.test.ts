import { chmod, stat, symlink } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import { describe, expect, it } from "vitest";

import type { RunOptions, RunResult } from "../../../src/host/host.js";
import { compareFields } from "../../../src/resources/difference.js";
import {
  subordinateDifferences,
  subordinateInputs,
  type SubordinateInputs,
} from "../../../src/resources/subordinate-inputs.js";
import { subordinateKind } from "../../../src/resources/subordinate.js";
import { writeRunnerFiles } from "../../../src/runtime/runner-files.js";
import type { RunnerSpec } from "../../../src/runtime/supervisor.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { MemoryHost } from "../support/memory-host.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const common = {
  ...{ owner: "shop/dev", host: { connection: "local", name: "gpu-1", dataDir: "/data" }, instance: "chat-0" },
  ...{ backend: "vllm", backendVersion: "0.30.0", installation: "installation-1", executable: "ray" },
  ...{ runtime: "supervisord", admits: "10.0.0.1", env: { CUDA_VISIBLE_DEVICES: "0,1" } },
};
const headAddress = "10.0.0.1:14003";
const head = subordinateInputs.parse({
  ...{ ...common, name: "chat-0.gpu-1.14003", address: "10.0.0.1", port: 14_003 },
  ray: { role: "head", headAddress, devices: 2 },
});
const versions = "ray 2.60.0, Python 3.11.2";
const member = subordinateInputs.parse({
  ...{ ...common, name: "chat-0.gpu-2.14004", address: "10.0.0.2", port: 14_004 },
  ...{ ray: { role: "member", headAddress, devices: 2 }, head: { start: "id-7", versions }, token: "secret-token" },
});

class RayHost extends MemoryHost {
  versions = versions;
  /** Nodes of the cluster, each with its identity; undefined while it does not answer. */
  nodes: string[] | undefined = ["aa 10.0.0.1"];
  /** Whether a node that is started joins. */
  isJoined = true;
  readonly asked: { readonly argv: readonly string[]; readonly options: RunOptions | undefined }[] = [];

  constructor() {
    super();
    const installation = { schemaVersion: 1, id: "installation-1", artifact: "a", environment: "/data/e" };
    this.files.set(
      "/data/backends/vllm_0.30.0/installation.json",
      JSON.stringify({ ...installation, executable: "/data/e/bin/vllm" }),
    );
  }

  override run(argv: readonly [string, ...string[]], options?: RunOptions): Promise<RunResult> {
    this.asked.push({ argv, options });
    const ok = (stdout: string) => Promise.resolve({ exitCode: 0, stdout, stderr: "" });
    const script = argv[3] ?? "";
    if (script.includes("importlib.metadata"))
      return this.versions === "" ? Promise.resolve({ exitCode: 1, stdout: "", stderr: "" }) : ok(`${this.versions}\n`);
    if (!script.includes("GcsClient")) return ok("");
    const silent = { exitCode: 1, stdout: "", stderr: "Failed to connect to GCS" };
    return this.nodes === undefined ? Promise.resolve(silent) : ok(this.nodes.join("\n"));
  }
}

function worldOf(inputs: SubordinateInputs) {
  const keeper = new FakeSupervisor();
  const host = new RayHost();
  const context = contextOf(host, keeper);
  const specs: RunnerSpec[] = [];
  const start = keeper.start.bind(keeper);
  keeper.start = async (spec) => {
    specs.push(spec);
    await writeRunnerFiles(host, spec);
    if (host.isJoined) host.nodes = [...(host.nodes ?? []), `${host.asked.length} ${inputs.address}`];
    return start(spec);
  };
  const converge = (changes: Partial<SubordinateInputs> = {}) => {
    const { operation, steps } = operationOf();
    return subordinateKind.converge(context, operation, { ...inputs, ...changes }).then(() => steps);
  };
  const observe = () => subordinateKind.observe(context, inputs, undefined);
  const folder = `/data/instances/shop+dev+${inputs.name}`;
  return { keeper, host, context, converge, observe, specs, token: `${folder}/token` };
}

const started = ["start its Ray node", "record what runs"];

describe("the head of a Ray cluster", () => {
  it("is started with a token of its own, which only its file and its outputs have", async () => {
    const { host, converge, observe, specs, token } = worldOf(head);
    expect(await converge()).toEqual(["claim port 14003", ...started]);
    const written = host.files.get(token);
    expect(written).toMatch(/^(id-\d){4}$/);
    expect(await observe()).toEqual({ start: "id-5", versions, clusterToken: written, drift: [] });
    const [spec] = specs;
    expect(JSON.stringify(spec)).not.toContain(written);
    expect(spec?.environment).toMatchObject({ RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN_PATH: token });
    const argv = spec?.argv.join(" ") ?? "";
    expect(argv).toMatch(/^\/data\/e\/bin\/python -I -c /);
    expect(argv).toContain("start --block --disable-usage-stats --node-ip-address 10.0.0.1 --head --port 14003");
    // Ray opens its own folder to everybody.
    expect(argv).toMatch(/ --temp-dir \/tmp\/berth-[0-9a-f]{16}\/r$/);
    expect(spec?.environment.BERTH_RAY_FOLDER).toMatch(/^\/tmp\/berth-[0-9a-f]{16}$/);
    expect(argv).toContain("--num-gpus 2 --num-cpus 2 --min-worker-port 0 --max-worker-port 0");
    expect(host.asked.map(({ argv: words }) => words.join(" ")).join("\n")).not.toContain(written);
  });

  it("differs in nothing from what is asked of it once it is there", async () => {
    const { converge, observe } = worldOf(head);
    await converge();
    expect(compareFields(subordinateDifferences, { ...head, ...(await observe()) }, head)).toEqual([]);
  });

  it("keeps its token when it is started again", async () => {
    const { host, keeper, converge, observe, token } = worldOf(head);
    await converge();
    const before = host.files.get(token);
    for (const id of keeper.runners.keys()) keeper.runners.set(id, false);
    expect((await observe()).drift).toEqual(["its node does not run (exited)"]);
    expect(await converge()).toEqual(started);
    expect(host.files.get(token)).toBe(before);
  });
});

describe("the folder in which Ray has its own", () => {
  /** Runs what a node runs, where no Ray is, so that it ends there. */
  async function start(folder: string): Promise<string> {
    const { converge, specs } = worldOf(head);
    await converge();
    const script = specs[0]?.argv[3] ?? "";
    const env = { ...process.env, BERTH_RAY_FOLDER: folder };
    return (await execa("python3", ["-I", "-c", script], { env, reject: false })).stderr;
  }
  const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

  it("is made at each start, for nobody else, as it is gone after a reboot", async () => {
    const folder = join(await temporaryFolder(), "f");
    expect(await start(folder)).toContain("No module named 'ray'");
    expect(await modeOf(folder)).toBe(0o700);
    await chmod(folder, 0o777);
    await start(folder);
    expect(await modeOf(folder)).toBe(0o700);
  });

  it("is not taken where somebody else has put something there", async () => {
    const root = await temporaryFolder();
    await chmod(root, 0o755);
    await symlink(root, join(root, "f"));
    expect(await start(join(root, "f"))).toBe(`${join(root, "f")} is not this user's own folder`);
    expect(await modeOf(root)).toBe(0o755);
  });
});

describe("a member of a Ray cluster", () => {
  it("joins the head with its token", async () => {
    const { host, converge, observe, specs, token } = worldOf(member);
    await converge();
    expect(host.files.get(token)).toBe("secret-token");
    expect(specs[0]?.argv.join(" ")).toContain(`--address ${headAddress} --node-manager-port 14004`);
    expect(await observe()).toEqual({ start: "id-1", versions, drift: [] });
    expect(await converge()).toEqual([]);
    expect(subordinateKind.secrets(member)).toEqual(["secret-token"]);
  });

  it.each<[string, Partial<SubordinateInputs>]>([
    ["the head was", { head: { start: "id-8", versions } }],
    ["the model was put in place anew", { placement: "another" }],
    ["its token is another", { token: "another-token" }],
  ])("is started again when %s", async (_, changes) => {
    const { converge } = worldOf(member);
    await converge();
    expect(await converge(changes)).toEqual(started);
  });

  it.each<[string, (host: RayHost, token: string) => void, string]>([
    ["its cluster does not have it", (host) => (host.nodes = ["aa 10.0.0.1"]), "its node is not in its Ray cluster"],
    ["the head does not answer", (host) => (host.nodes = undefined), "its Ray cluster does not answer"],
    [
      "its token is another",
      (host, token) => host.files.set(token, "another"),
      "the token of its Ray cluster was changed",
    ],
  ])("is not as it should be when %s, and is started again", async (_, change, sentence) => {
    const { host, converge, observe, token } = worldOf(member);
    await converge();
    change(host, token);
    expect((await observe()).drift).toEqual([sentence]);
    expect(await converge()).toEqual(started);
  });

  it.each([
    ["ray 2.59.0, Python 3.11.2", "not all nodes of the Ray cluster have the same versions"],
    ["ray 2.60.0, Python 3.11.3", "not all nodes of the Ray cluster have the same versions"],
    ["ray 2.51.2, Python 3.11.2", "has no Ray that knows its nodes by a token"],
    ["", "has no Ray that knows its nodes by a token"],
  ])("is refused before anything is done with %j", async (own, what) => {
    const { host, converge, specs } = worldOf(member);
    host.versions = own;
    const error = await rejectionOf(converge());
    expect(error.code).toBe("host-unsuitable");
    expect(error.parts.what).toContain(what);
    expect(error.parts.got).toBe(own === "" ? "none" : own);
    expect(specs).toEqual([]);
    expect([...host.files.keys()].filter((path) => path.includes("/claims/") || path.endsWith("token"))).toEqual([]);
  });

  it("leaves nothing running when the cluster does not have it in time", async () => {
    const { host, keeper, converge } = worldOf(member);
    host.isJoined = false;
    const error = await rejectionOf(converge());
    expect(error.code).toBe("runner-failed");
    expect(error.parts.what).toBe("its node is not in its Ray cluster after 120 s");
    expect([...keeper.runners]).toEqual([]);
  });

  it("has not joined while its cluster tells only of one before it, which was killed", async () => {
    const { host, converge } = worldOf(member);
    host.nodes = ["aa 10.0.0.1", "bb 10.0.0.2"];
    host.isJoined = false;
    expect((await rejectionOf(converge())).parts.what).toBe("its node is not in its Ray cluster after 120 s");
    host.isJoined = true;
    expect(await converge()).toEqual(started);
  });

  it("joins a head that did not answer before it was started", async () => {
    const { host, converge } = worldOf(member);
    host.nodes = undefined;
    expect(await converge()).toEqual(["claim port 14004", ...started]);
  });

  it("leaves nothing when it is removed", async () => {
    const { host, keeper, context, converge } = worldOf(member);
    await converge();
    const key = { owner: "shop/dev", name: member.name, uses: "" };
    await subordinateKind.remove(context, operationOf().operation, key);
    expect([...keeper.runners]).toEqual([]);
    expect([...host.files.keys()].filter((path) => path.includes("chat-0"))).toEqual([]);
  });
});
