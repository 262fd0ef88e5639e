import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { buildLock } from "../../../src/lock/build.js";
import { readProject } from "../../../src/lock/project.js";
import { desiredStack } from "../../../src/planner/desired.js";
import { place } from "../../../src/planner/placement.js";
import type { LockedDeployment } from "../../../src/schema/lock.js";
import type { LockedModel } from "../../../src/schema/model.js";
import type { StackFile } from "../../../src/schema/stack.js";
import { fakeEdges } from "../support/edges.js";
import { chat, knownHost, problemOf, stackOf } from "../support/problems.js";
import { repositoryModel } from "../support/repository-models.js";
import { repository } from "../support/repository.js";

const desired = (stack: StackFile, root = "/project") => {
  const problem = problemOf(stack);
  return desiredStack({ release: problem.release, placement: place(problem) }, root);
};
const shared = { model: chat().model };

describe("desiredStack of the quickstart", async () => {
  const project = readProject(repository, "stacks/local.yaml", repository);
  const { lock } = await buildLock({ ...project, owner: "shop/dev", previous: undefined, resolved: {} }, fakeEdges());
  const { hosts, backendVersions, models, instances } = desiredStack(lock, "/project");
  const host = { name: "local", connection: "local", dataDir: "/project/.berth/host" };
  const modelSha256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818";

  it("has one host, which knows all that is on it", () => {
    expect(hosts).toEqual([
      {
        name: "local",
        host,
        labels: {},
        inventory: ["BackendVersion/local.llama-cpp_2026.10.11549", "Instance/chat-0", "ModelFiles/local.a5fd3b62230a"],
      },
    ]);
  });

  it("has one backend version and one model, exactly as they are locked", () => {
    const { chat: release } = lock.release;
    expect(backendVersions).toEqual([
      {
        name: "local.llama-cpp_2026.10.11549",
        host,
        backend: "llama-cpp",
        version: "2026.10.11549",
        install: release?.install,
        pipxPath: undefined,
        indexUrl: undefined,
      },
    ]);
    const users = ["chat"];
    expect(models).toEqual([{ name: "local.a5fd3b62230a", host, model: release?.model, indexUrl: undefined, users }]);
  });

  it("has one instance with this argument vector", () => {
    expect(instances.map(({ argv }) => argv)).toEqual([
      [
        "/project/.berth/host/bin/llama-cpp_2026.10.11549",
        ...["--model", `/project/.berth/host/models/${modelSha256}/model.gguf`],
        ...["--alias", "chat", "--host", "127.0.0.1", "--port", "14000"],
        ...["--ctx-size", "8192"],
      ],
    ]);
    expect(instances[0]).toMatchObject({
      name: "chat-0",
      host,
      backendVersion: "local.llama-cpp_2026.10.11549",
      model: "local.a5fd3b62230a",
      modelPath: `/project/.berth/host/models/${modelSha256}/model.gguf`,
    });
  });
});

describe("desiredStack", () => {
  it("has a backend version and a model that several deployments share once for each host", () => {
    const hosts = {
      a: { connection: "local" as const, dataDir: "/a" },
      b: { connection: "local" as const, dataDir: "/b" },
    };
    const { hosts: found, ...rest } = desired(
      stackOf(
        {
          one: chat({ ...shared, host: "a" }),
          two: chat({ ...shared, host: "a", backendVersion: "1.0" }),
          three: chat({ ...shared, host: "a" }),
          four: chat({ ...shared, host: "b" }),
        },
        { hosts },
      ),
    );
    const digest = sha256("m").slice(0, 12);
    expect(rest.backendVersions.map(({ name }) => name)).toEqual(["b.engine_2.0", "a.engine_2.0", "a.engine_1.0"]);
    expect(rest.models.map(({ name }) => name).sort()).toEqual([`a.${digest}`, `b.${digest}`]);
    expect(Object.fromEntries(found.map(({ name, inventory }) => [name, inventory]))).toEqual({
      a: [
        ...["BackendVersion/a.engine_1.0", "BackendVersion/a.engine_2.0"],
        ...["Instance/one-0", "Instance/three-0", "Instance/two-0", `ModelFiles/a.${digest}`],
      ],
      b: ["BackendVersion/b.engine_2.0", "Instance/four-0", `ModelFiles/b.${digest}`],
    });
  });

  it("has a gateway before what has slots, whose runners get their port when they start", () => {
    const haproxy = { path: "/usr/sbin/haproxy", version: "2.6.12" };
    const stack = stackOf({
      chat: chat({ bindAddress: "0.0.0.0", insecure: true, update: { strategy: "blueGreen" } }),
    });
    const problem = problemOf(stack, { hosts: { local: knownHost("/srv/local", { facts: { haproxy } }) } });
    const found = desiredStack({ release: problem.release, placement: place(problem) }, "/project");
    const host = { name: "local", connection: "local", dataDir: "/srv/local" };
    expect(found.gateways).toEqual([
      { name: "local.gateway", host, haproxy: "/usr/sbin/haproxy", runtime: "supervisord" },
    ]);
    expect(found.hosts[0]?.inventory).toContain("Gateway/local.gateway");
    expect(found.instances[0]?.argv.join(" ")).toContain("{{port}}");
    expect(found.instances[0]?.argv.join(" ")).not.toContain("0.0.0.0");
  });

  it("has every host, also one with nothing on it", () => {
    expect(desired(stackOf({})).hosts).toEqual([
      { name: "local", host: { name: "local", connection: "local", dataDir: "/srv/local" }, labels: {}, inventory: [] },
    ]);
  });

  it("lets relative data directories begin at the project", () => {
    const stack = stackOf({}, { hosts: { local: { connection: "local", dataDir: "../data" } } });
    expect(desired(stack, "/home/me/project").hosts[0]?.host.dataDir).toBe("/home/me/data");
  });

  it("runs a model that is on the host already from where it is, in one word", () => {
    const model = { source: "file" as const, path: "/srv/my models/a b.gguf", sha256: sha256("m") };
    const [instance] = desired(stackOf({ chat: chat({ model }) })).instances;
    expect(instance?.modelPath).toBe("/srv/my models/a b.gguf");
    expect(instance?.argv.slice(0, 4)).toEqual([
      "/srv/local/bin/engine_2.0",
      "serve",
      "/srv/my models/a b.gguf",
      "--alias",
    ]);
  });

  it("puts the parameters after the command, and none of them is split", () => {
    const [instance] = desired(stackOf({ chat: chat({ extraParameters: ["--x", "a b; c"] }) })).instances;
    expect(instance?.argv.slice(-5)).toEqual(["--ctx-size", "8192", "--fast", "--x", "a b; c"]);
  });

  it("refuses decisions whose parts do not fit", () => {
    const problem = problemOf(stackOf({ chat: chat() }));
    expect(() => desiredStack({ release: {}, placement: place(problem) }, "/")).toThrow("the lock's parts do not fit");
  });
});

describe("desiredStack of packages that a lock resolved", () => {
  it("has nothing of what was asked for: another request with the same result changes nothing on a host", () => {
    const problem = problemOf(stackOf({ chat: chat() }));
    const { chat: release } = problem.release;
    if (release?.install.method !== "pipx") throw new Error("expected pipx");
    const resolved = { chat: { ...release, install: { ...release.install, request: sha256("asked") } } };
    const placement = place(problem);
    expect(desiredStack({ release: resolved, placement }, "/project").backendVersions).toEqual(
      desiredStack({ release: problem.release, placement }, "/project").backendVersions,
    );
  });
});

describe("desiredStack of a repository's model", () => {
  const folder = `/srv/local/models/${"b".repeat(64)}`;
  const desire = (model: LockedModel, changes: Partial<LockedDeployment> = {}, modelToken?: string) => {
    const { release, ...problem } = problemOf(stackOf({ chat: chat(), code: chat() }));
    const [chatRelease, codeRelease] = [release.chat, release.code];
    if (chatRelease === undefined || codeRelease === undefined) throw new Error("both are released");
    const own = { chat: { ...chatRelease, model, ...changes }, code: { ...codeRelease, model, ...changes } };
    const placement = place({ ...problem, release: own });
    const { "code-0": code, ...others } = placement.instances;
    if (code === undefined) throw new Error("it is placed");
    const token = modelToken === undefined ? {} : { modelToken };
    const instances = { ...others, "code-0": { ...code, ...token } };
    return desiredStack({ release: own, placement: { ...placement, instances } }, "/project");
  };

  it("gives runners the folder, or the file and its projector", () => {
    const [instance] = desire(repositoryModel(["config.json", "m.safetensors"])).instances;
    expect(instance?.modelPath).toBe(folder);
    expect(instance?.argv).toContain(folder);
    const gguf = repositoryModel(["mmproj.gguf", "q/m.gguf"], { file: "q/m.gguf", projector: "mmproj.gguf" });
    const [given] = desire(gguf, { projectorFlag: "--mmproj" }).instances;
    expect(given?.modelPath).toBe(`${folder}/q/m.gguf`);
    expect(given?.argv.join(" ")).toContain(`--mmproj ${folder}/mmproj.gguf --ctx-size`);
  });

  it("has the model once for both, with the name of the token that one of them has for it", () => {
    const model = repositoryModel(["config.json", "m.safetensors"]);
    expect(desire(model).models).toMatchObject([{ model, token: undefined }]);
    expect(desire(model, {}, "hub-token").models).toMatchObject([{ model, token: "hub-token" }]);
  });
});
