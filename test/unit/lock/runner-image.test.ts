import { describe, expect, it } from "vitest";

import { assembleRunners } from "../../../src/catalog/runner-catalogue.js";
import { resolveRelease } from "../../../src/catalog/release.js";
import { formatExplanation } from "../../../src/cli/explain.js";
import { buildLock, findStaleness, type LockProblem } from "../../../src/lock/build.js";
import { explainPlacement } from "../../../src/lock/explain.js";
import { offlineQuestions } from "../../../src/lock/offline.js";
import { readCatalogue } from "../../../src/lock/project.js";
import { sha256 } from "../../../src/lib/canonical.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import { runnerFile } from "../../../src/schema/runner.js";
import { repository } from "../../support/toolchain.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { cudaHost, cudaRunners } from "../support/runners.js";
import { rejectionOf, thrownBy } from "../support/thrown.js";

type Fields = Parameters<typeof chat>[0];
type Hosts = Readonly<Record<string, KnownHost>>;
type Images = Parameters<typeof cudaRunners>[0];

const backend = engineBackend({
  defaultVersion: "2.0",
  images: [{ repository: "gpustack/runner", entrypoint: "tini --", runCommand: "engine serve {{model_path}}" }],
  versions: {
    "1.0": { install: { runnerImage: { service: "engine" } } },
    "2.0": { install: { runnerImage: { service: "engine" } } },
  },
});
const volta = { computeCapability: "7.0", name: "Tesla V100" };
const images: Images = { "12.8": ["2.0", "1.0"], "12.6": ["2.0", "1.0"] };
const digestOf = (tag: string, repository = "gpustack/runner") => `sha256:${sha256(`${repository}:${tag}`)}`;

interface Setting {
  readonly images?: Images;
  readonly hosts: Hosts;
  readonly chat?: Fields;
  readonly mirrors?: Readonly<Record<string, string>>;
  readonly previous?: LockProblem["previous"];
  readonly renewed?: LockProblem["renewed"];
  readonly promoted?: LockProblem["promoted"];
}

function problemOf({ hosts, chat: fields, mirrors, ...rest }: Setting): LockProblem {
  const entries = Object.keys(hosts).map((name) => [name, { connection: "ssh", dataDir: `/${name}` }] as const);
  const deployment = chat({ parameters: [], ...fields });
  const changes = { hosts: Object.fromEntries(entries), ...(mirrors && { mirrors: { registries: mirrors } }) };
  const stack = stackOf({ chat: deployment }, changes);
  const catalogue = { ...catalogueOf([backend], []), runners: cudaRunners(rest.images ?? images) };
  const { previous, renewed, promoted } = rest;
  const asked = { ...(renewed && { renewed }), ...(promoted && { promoted }) };
  return { owner: "shop/dev", stack, written: stack, catalogue, previous, resolved: {}, ...asked };
}

/** Hosts are machines of their own: their devices have names of their own. */
function edgesOf(hosts: Hosts) {
  const knowHost = (name: string): Promise<KnownHost> => {
    const known = hosts[name];
    if (known === undefined) return Promise.reject(new Error(`no host ${name}`));
    const accelerators = known.facts.accelerators.map((each) => ({ ...each, uuid: `${name}-${each.uuid}` }));
    return Promise.resolve({ ...known, facts: { ...known.facts, accelerators }, dataDir: `/${name}` });
  };
  return { ...fakeEdges(), knowHost };
}

async function solve(setting: Setting) {
  const edges = edgesOf(setting.hosts);
  const solved = await buildLock(problemOf(setting), edges);
  return { ...solved, asked: edges.asked, install: solved.lock.release.chat?.install };
}

describe("a backend version that is a runner image", () => {
  const hosts = { box: cudaHost("12.8") };

  it("is locked as the image that the hosts can run, by its digest, with what tells where it runs", async () => {
    const { install, reasons, lock } = await solve({ hosts });
    expect(install).toEqual({
      method: "image",
      reference: "gpustack/runner:cuda12.8-engine2.0",
      digest: digestOf("cuda12.8-engine2.0"),
      runnerImage: {
        ...{ acceleratorType: "cuda", acceleratorVersion: "12.8", service: "engine", serviceVersion: "2.0" },
        platforms: ["linux/amd64", "linux/arm64"],
        computeCapabilities: ["7.5", "8.0+PTX", "9.0", "10.0", "12.0+PTX"],
        comparable: true,
      },
    });
    expect(reasons[0]).toBe(
      "chat: engine 2.0: its default; runner image cuda12.8-engine2.0 (the newest runtime that can run; cuda 12.8 is not above the host's 12.8) for linux/x64 and cuda",
    );
    expect(lock.release.chat).toMatchObject({ entrypoint: "tini --", runCommand: "engine serve {{model_path}}" });
  });

  it("is asked for at the mirror of its registry and namespace", async () => {
    const { asked, install } = await solve({
      hosts,
      mirrors: { "docker.io/gpustack": "registry.example.net:5000/team" },
    });
    expect(asked).toContain("registry.example.net:5000/team/runner:cuda12.8-engine2.0");
    expect(install).toMatchObject({ reference: "gpustack/runner:cuda12.8-engine2.0" });
  });

  it("is locked without asking anybody where the catalogue has its digest", async () => {
    const digest = `sha256:${"d".repeat(64)}`;
    const known: Setting = { hosts, images: { "12.8": [{ version: "2.0", digest }] } };
    const offline = { ...edgesOf(hosts), ...offlineQuestions };
    const { lock } = await buildLock(problemOf(known), offline);
    expect(lock.release.chat?.install).toMatchObject({ digest });
  });

  it.each<[string, Fields, string]>([
    ["its runtime", { runnerImage: { acceleratorVersion: "12.6" } }, "cuda12.6-engine2.0"],
    ["its version", { backendVersion: "1.0" }, "cuda12.8-engine1.0"],
    ["both", { backendVersion: "1.0", runnerImage: { acceleratorVersion: "<12.8" } }, "cuda12.6-engine1.0"],
  ])("is another one where the deployment asks for %s", async (_what, fields, tag) => {
    const { install } = await solve({ hosts, chat: fields });
    expect(install).toMatchObject({ reference: `gpustack/runner:${tag}` });
  });

  it.each<[string, Record<string, boolean>, Fields, string]>([
    ["a release candidate", { rc: true }, {}, "cuda12.6-engine2.0"],
    ["a release candidate that is allowed", { rc: true }, { runnerImage: { allowRc: true } }, "cuda12.8-engine2.0"],
    ["a deprecated image", { deprecated: true }, {}, "cuda12.6-engine2.0"],
    ["a deprecated image of a named version", { deprecated: true }, { backendVersion: "2.0" }, "cuda12.8-engine2.0"],
  ])("is taken or passed over: %s", async (_what, state, fields, tag) => {
    const offered: Images = { "12.8": [{ version: "2.0", ...state }], "12.6": ["2.0"] };
    const { install } = await solve({ hosts, images: offered, chat: fields });
    expect(install).toMatchObject({ reference: `gpustack/runner:${tag}` });
  });

  it("is an older version where only that is not above the hosts' runtime, and none is named", async () => {
    const offered: Images = { "12.9": ["2.0"], "12.8": ["1.0"] };
    expect((await solve({ hosts, images: offered })).install).toMatchObject({
      reference: "gpustack/runner:cuda12.8-engine1.0",
    });
    expect((await solve({ hosts, images: offered, chat: { backendVersion: "2.0" } })).install).toMatchObject({
      reference: "gpustack/runner:cuda12.9-engine2.0",
    });
  });

  it("is an older version where the hosts can run no newer one, and none is named", async () => {
    const { install, lock } = await solve({ hosts, images: { "13.0": ["2.0"], "12.8": ["1.0"] } });
    expect(install).toMatchObject({ reference: "gpustack/runner:cuda12.8-engine1.0" });
    expect(lock.release.chat?.backendVersion).toBe("1.0");
  });
});

describe("a deployment that asks for a runner image", () => {
  it.each([{ imageName: "team/engine:1" }, { install: "pipx" as const }])("asks for nothing else: %j", (fields) => {
    expect(() => stackOf({ chat: chat({ runnerImage: {}, ...fields }) })).toThrow(/expected no `/);
  });

  it("is told that none can be chosen where there is no stack", () => {
    const { stack, catalogue } = problemOf({ hosts: { box: cudaHost("12.8") } });
    const deployment = stack.deployments.chat;
    if (deployment === undefined) throw new Error("expected a deployment");
    const model = { from: { source: "file" as const, path: "/m.gguf" }, file: "m.gguf", sha256: "a".repeat(64) };
    const platform = { os: "linux", arch: "x64", acceleratorType: "cuda" } as const;
    const wrong = thrownBy(() => resolveRelease({ catalogue, deployment, model, platform, where: "chat" }));
    expect(wrong.parts.detail).toContain("runner images are chosen for the hosts of a stack, by its lock");
  });
});

describe("hosts that need different runner images", () => {
  const hosts = { a: cudaHost("12.6"), b: cudaHost("12.8"), old: cudaHost("12.8", volta) };

  it("have the one that runs on the most of them, and those that cannot run it are left out with the reason", async () => {
    const { install, reasons, lock } = await solve({ hosts, chat: { replicas: 4 } });
    expect(install).toMatchObject({ reference: "gpustack/runner:cuda12.6-engine2.0" });
    expect(new Set(Object.values(lock.placement.instances).map(({ host }) => host))).toEqual(new Set(["a", "b"]));
    const why = expect.stringMatching(
      /^chat: not on host old: engine 2\.0 cannot be installed on the host: .*runner image cuda12\.6-engine2\.0, which the others have, cannot run there: it has no code for compute capability 7\.0/,
    ) as string;
    expect(reasons).toContainEqual(why);
  });

  it("are told of in a refusal of placement, and in an explanation", async () => {
    const error = await rejectionOf(buildLock(problemOf({ hosts, chat: { replicas: 6 } }), edgesOf(hosts)));
    expect(error).toMatchObject({ code: "does-not-fit" });
    expect(error.message).toMatch(/not on old: .*no code for compute capability 7\.0/);
    const problem = problemOf({ hosts, chat: {} });
    const made = await explainPlacement(problem, "chat", edgesOf(hosts));
    expect(made.elsewhere).toContainEqual({
      host: "old",
      why: expect.stringContaining("no code for compute") as string,
    });
    expect(made.runnerImage).toMatchObject({
      reference: "gpustack/runner:cuda12.6-engine2.0",
      reason: "the newest of those that run on 2 of 3 hosts",
    });
    const text = formatExplanation(made);
    expect(text).toContain(
      "its runner image is gpustack/runner:cuda12.6-engine2.0: the newest of those that run on 2 of",
    );
    expect(text).toMatch(/cuda12\.8-engine2\.0 +its runtime is above that of 1 of 3 hosts/);
  });

  it("are all refused where none can run any, with what would be needed", async () => {
    const error = await rejectionOf(
      buildLock(problemOf({ hosts: { a: cudaHost("11.8") } }), edgesOf({ a: cudaHost("11.8") })),
    );
    expect(error).toMatchObject({ code: "host-unsuitable" });
    expect(error.message).toContain("NVIDIA CUDA 12.6 or newer on the host");
  });

  it("have the same lock in whatever order they are written", async () => {
    const turned = Object.fromEntries(Object.entries(hosts).reverse());
    const { lock } = await solve({ hosts, chat: { replicas: 2 } });
    expect((await solve({ hosts: turned, chat: { replicas: 2 } })).lock).toMatchObject({
      id: lock.id,
      release: lock.release,
    });
  });
});

describe("devices that only a file of the project describes", () => {
  const file = runnerFile.parse({
    ...{ schemaVersion: 1, acceleratorType: "newtype", name: "New", vendor: "newvendor", device: "New device" },
    ...{ hostRuntime: { comparable: false, source: "nothing" }, services: { engine: "Engine" } },
    versions: [{ version: "1.2", images: { engine: [{ version: "2.0", platforms: ["linux/amd64"] }] } }],
  });
  const runners = assembleRunners([{ file, where: "newtype.yaml" }]);
  const newHost = (deviceFiles?: { path: string; groupId: number }[]) =>
    cudaHost("1.2", { type: "newtype", declared: {}, ...(deviceFiles && { deviceFiles }) });
  const files = [{ path: "/dev/new0", groupId: 0 }];
  const lockOf = (hosts: Hosts, fields: Fields = {}) => {
    const problem = problemOf({ hosts, chat: fields });
    return buildLock({ ...problem, catalogue: { ...problem.catalogue, runners } }, edgesOf(hosts));
  };
  const missing =
    "containers cannot be given devices of type newtype, because the file names no device file that the host has";

  it("are refused a runner image by the lock where no device file is named, with what to add", async () => {
    const error = await rejectionOf(lockOf({ box: newHost() }));
    expect(error.code).toBe("host-unsuitable");
    expect(error.message).toContain(`backends/runners/newtype.yaml: ${missing}`);
    expect(error.message).toContain('add `nodes`, such as ["/dev/newtype{{index}}"], to its `devices`');
  });

  it("have one where their files are named, and a host without them is left out", async () => {
    const { lock, reasons } = await lockOf({ a: newHost(), b: newHost(files) });
    expect(Object.values(lock.placement.instances).map(({ host }) => host)).toEqual(["b"]);
    expect(reasons.join("\n")).toContain(`chat: not on host a: engine 2.0 cannot be installed on the host`);
    expect(reasons.join("\n")).toContain(missing);
  });

  it("are refused an image by its name, too", async () => {
    const error = await rejectionOf(lockOf({ box: newHost() }, { imageName: "team/engine:1" }));
    expect([error.code, error.parts.where]).toEqual(["host-unsuitable", "deployment chat"]);
    expect(error.message).toContain(`backends/runners/newtype.yaml: ${missing}`);
  });
});

describe("a runner image that lies ready", () => {
  const preload = { next: { backend: "engine" } };

  it("is one that all of its hosts can run, and the one of a deployment that comes later", async () => {
    const hosts = { a: cudaHost("12.6"), b: cudaHost("12.8") };
    const problem = problemOf({ hosts });
    const ready = { ...problem.stack, deployments: {}, preload };
    const { lock } = await buildLock({ ...problem, stack: ready, written: ready }, edgesOf(hosts));
    expect(lock.preload?.next?.engine?.install).toMatchObject({ reference: "gpustack/runner:cuda12.6-engine2.0" });
    const newer = { a: cudaHost("12.8"), b: cudaHost("12.8") };
    const both = { ...problem.stack, preload };
    const later = { ...problem, stack: both, written: both, previous: lock };
    const { release } = (await buildLock(later, edgesOf(newer))).lock;
    expect(release.chat?.install).toMatchObject({ reference: "gpustack/runner:cuda12.6-engine2.0" });
  });

  it("is refused where a host cannot run it", async () => {
    const hosts = { a: cudaHost("12.6"), old: cudaHost("12.8", volta) };
    const problem = problemOf({ hosts });
    const ready = { ...problem.stack, deployments: {}, preload };
    const error = await rejectionOf(buildLock({ ...problem, stack: ready, written: ready }, edgesOf(hosts)));
    expect(error).toMatchObject({ code: "host-unsuitable", parts: { where: "preload next" } });
  });
});

describe("a runner image that is locked", () => {
  const hosts = { box: cudaHost("12.8") };
  const first = async () => (await solve({ hosts, images: { "12.6": ["2.0"] } })).lock;

  it("stays while it runs, also when the catalogue has a newer one, deprecates it or knows another digest", async () => {
    const previous = await first();
    const digest = `sha256:${"e".repeat(64)}`;
    const later: Images = { "12.8": ["2.0"], "12.6": [{ version: "2.0", deprecated: true, digest }] };
    const { lock, install, reasons } = await solve({ hosts, images: later, previous });
    expect(install).toEqual(previous.release.chat?.install);
    expect(lock.release).toEqual(previous.release);
    expect(reasons[0]).toContain("runner image cuda12.6-engine2.0 (as locked before)");
  });

  it("stays where the lock before had it as an image with a name", async () => {
    const { release, ...rest } = await first();
    const { chat: before } = release;
    if (before?.install.method !== "image") throw new Error("expected an image");
    const { runnerImage, ...install } = before.install;
    const { install: kept } = await solve({ hosts, previous: { ...rest, release: { chat: { ...before, install } } } });
    expect(kept).toEqual({ ...install, runnerImage });
  });

  it("is chosen anew when that is asked for", async () => {
    const { install } = await solve({ hosts, previous: await first(), renewed: ["chat"] });
    expect(install).toMatchObject({ reference: "gpustack/runner:cuda12.8-engine2.0" });
  });

  it("is another one when its hosts can no longer run it", async () => {
    const previous = await first();
    const turned = { box: cudaHost("13.0", { computeCapability: "11.0" }) };
    const later: Images = {
      "13.0": ["2.0"],
      "12.8": [{ version: "2.0", rc: true }],
      "12.6": [{ version: "2.0", published: false }],
    };
    const error = await rejectionOf(buildLock(problemOf({ hosts: turned, images: later, previous }), edgesOf(turned)));
    expect(error.code).toBe("host-unsuitable");
    const { install } = await solve({
      hosts: { box: cudaHost("13.0", { computeCapability: "10.0" }) },
      images: later,
      previous,
    });
    expect(install).toMatchObject({ reference: "gpustack/runner:cuda13.0-engine2.0" });
  });

  it("makes the lock stale when the images of its service change, and not those of others", async () => {
    const problem = problemOf({ hosts });
    const { lock } = await buildLock(problem, edgesOf(hosts));
    expect(findStaleness(lock, problem)).toBeUndefined();
    expect(findStaleness(lock, problemOf({ hosts, images: { ...images, "12.4": ["1.0"] } }))).toContain("backend");
  });

  it("goes on to hosts that can run it, and to no others, whatever their catalogue has", async () => {
    const { release } = await first();
    const promoted = { release };
    const { lock } = await solve({ hosts: { prod: cudaHost("12.9") }, images: { "12.9": ["2.0"] }, promoted });
    expect(lock.release).toEqual(release);
    const unfit = { prod: cudaHost("12.8", volta) };
    const error = await rejectionOf(buildLock(problemOf({ hosts: unfit, promoted }), edgesOf(unfit)));
    expect(error.code).toBe("host-unsuitable");
    expect(error.message).toContain(
      "the runner image that was promoted cannot run on the host: it has no code for compute",
    );
  });
});

describe("Berth's own backends", () => {
  const catalogue = readCatalogue(repository, repository);
  const npu = (soc: string) => cudaHost("8.5.0", { type: "cann", soc, computeCapability: undefined });
  const amd = (llvmTarget: string) => {
    const deviceFiles = [{ path: "/dev/dri/renderD128", groupId: 992 }];
    return cudaHost("7.0", { type: "rocm", llvmTarget, computeCapability: undefined, deviceFiles });
  };

  it.each<[string, KnownHost, Fields, string]>([
    ["MindIE on 310P", npu("Ascend310P3"), { backend: "mindie" }, "cann8.5-310p-mindie2.3.0"],
    ["MindIE on A3", npu("Ascend910_9391"), { backend: "mindie" }, "cann8.5-a3-mindie2.3.0"],
    ["vLLM on NPUs, of which it takes a version", npu("Ascend910B3"), { backend: "vllm" }, "cann8.3-910b-vllm0.11.0"],
    ["vLLM on AMD's GPUs", amd("gfx942"), { backend: "vllm" }, "rocm7.0-vllm0.11.2"],
    ["SGLang on AMD's newest", amd("gfx950"), { backend: "sglang" }, "rocm7.0-sglang0.5.9"],
    ["VoxBox with an older driver", cudaHost("12.6"), { backend: "vox-box", category: "stt" }, "cuda12.6-voxbox0.0.21"],
    [
      "vLLM on NVIDIA's GPUs, where it is asked for",
      cudaHost("12.8"),
      { backend: "vllm", backendVersion: "0.17.1", runnerImage: {} },
      "cuda12.8-vllm0.17.1",
    ],
  ])("have runner images: %s", async (_what, host, fields, tag) => {
    const hosts = { box: host };
    const { lock } = await buildLock({ ...problemOf({ hosts, chat: fields }), catalogue }, edgesOf(hosts));
    expect(lock.release.chat).toMatchObject({
      install: { reference: `gpustack/runner:${tag}` },
      entrypoint: expect.stringMatching(/^(?:tini --|python3 -c)/) as string,
    });
  });

  it("have vLLM's own image on NVIDIA's GPUs otherwise, and are refused a version without runner images", async () => {
    const hosts = { box: cudaHost("12.8") };
    const lockOf = (fields: Fields) => buildLock({ ...problemOf({ hosts, chat: fields }), catalogue }, edgesOf(hosts));
    const { lock } = await lockOf({ backend: "vllm", backendVersion: "0.17.1", install: "image" });
    expect(lock.release.chat?.install).toMatchObject({ reference: "vllm/vllm-openai:v0.17.1" });
    const error = await rejectionOf(lockOf({ backend: "vllm", backendVersion: "0.30.0", runnerImage: {} }));
    expect(error.message).toContain("vllm 0.30.0 cannot be installed on the host");
  });
});
