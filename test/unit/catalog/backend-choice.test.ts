import { describe, expect, it } from "vitest";

import { chooseBackend } from "../../../src/catalog/backend-choice.js";
import { draftRelease } from "../../../src/catalog/release.js";
import type { DeployedEngine } from "../../../src/catalog/release-problem.js";
import type { Platform } from "../../../src/catalog/selection.js";
import type { LockedModel } from "../../../src/schema/model.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { platform } from "../support/problems.js";
import { repositoryModel } from "../support/repository-models.js";
import { thrownBy } from "../support/thrown.js";

const modelOf = (file: string): LockedModel => ({
  from: { source: "file", path: `/srv/${file}` },
  file,
  sha256: "a".repeat(64),
});
const image = { reference: "team/engine:1" };
const anyWhere = (name: string, acceleratorTypes?: ("cann" | "cuda")[]) =>
  engineBackend({
    name,
    defaultVersion: "1",
    versions: { "1": { install: { image: acceleratorTypes === undefined ? image : { ...image, acceleratorTypes } } } },
  });
const catalogue = catalogueOf([
  engineBackend(),
  anyWhere("vllm", ["cuda"]),
  anyWhere("llama-cpp"),
  anyWhere("llama-box"),
  anyWhere("vox-box"),
  anyWhere("mindie", ["cann"]),
]);

interface Changes {
  deployment?: Partial<DeployedEngine>;
  file?: string;
  acceleratorType?: Platform["acceleratorType"];
}

function problemOf({ deployment, file = "m.gguf", acceleratorType = "cpu" }: Changes) {
  const asked = { backend: "auto", contextLength: 4096, extraParameters: [], env: {}, ...deployment };
  const model = modelOf(file);
  return { catalogue, deployment: asked, model, platform: { ...platform, acceleratorType }, where: "deployment chat" };
}

describe("backend: auto", () => {
  it.each<[Changes, string]>([
    [{ file: "m.gguf" }, "llama-cpp"],
    [{ file: "m.gguf", deployment: { prefer: "llama-box" } }, "llama-box"],
    [{ file: "m.safetensors" }, "vllm"],
    [{ file: "m.safetensors", deployment: { category: "stt" } }, "vox-box"],
    [{ file: "m.safetensors", acceleratorType: "cann" }, "mindie"],
  ])("of %j is %s, with the reason in a line", (changes, backend) => {
    const chosen = chooseBackend(problemOf(changes));
    expect(chosen.backend.name).toBe(backend);
    expect(chosen.reason).toMatch(/^[^\n]+; its default$/);
  });
});

describe("a deployment's own image", () => {
  it("takes the place of every way to install the version, for that deployment alone", () => {
    const deployment = { backend: "engine", imageName: "mine/engine@sha256:" + "0".repeat(64) };
    const { install } = draftRelease(problemOf({ deployment }));
    expect(install).toEqual({ method: "image", reference: "mine/engine", digest: `sha256:${"0".repeat(64)}` });
    expect(draftRelease(problemOf({ deployment: { backend: "engine" } })).install.method).toBe("pipx");
  });

  it("allows a version that no file knows, with the backend's own command", () => {
    const deployment = { backend: "engine", backendVersion: "9.9", imageName: "mine/engine:9.9" };
    const { release } = draftRelease(problemOf({ deployment }));
    expect([release.backendVersion, release.runCommand]).toEqual(["9.9", engineBackend().runCommand]);
    const error = thrownBy(() => draftRelease(problemOf({ deployment: { backend: "engine", backendVersion: "9.9" } })));
    expect(error.code).toBe("backend-unknown");
  });

  it.each([
    ["custom", ">=1"],
    ["engine", "1.x"],
    ["engine", ">=1"],
  ])("does not allow a constraint: %s %s", (backend, backendVersion) => {
    const deployment = { backend, backendVersion, imageName: "mine/engine:1" };
    expect(thrownBy(() => chooseBackend(problemOf({ deployment }))).message).toContain("has to be named exactly");
  });

  it.each([
    ["mine/engine:1.0", "1.0"],
    ["mine/engine:v1.0", "1.0"],
    ["mine/engine:v9.0.1", "v9.0.1"],
    ["mine/engine:mine", "2.0"],
    ["mine/engine", "2.0"],
  ])("is of the version that its tag names, else of the default: %s is %s", (imageName, version) => {
    expect(chooseBackend(problemOf({ deployment: { backend: "engine", imageName } })).version).toBe(version);
  });

  it("is not bound by what the image that it takes the place of is for", () => {
    const { entry } = chooseBackend(problemOf({ deployment: { backend: "vllm", imageName: "rocm/vllm:1" } }));
    expect(entry.install.image).toEqual({ reference: "rocm/vllm:1", platforms: ["linux/amd64", "linux/arm64"] });
  });

  it("leaves nothing to choose by the model", () => {
    const error = thrownBy(() => chooseBackend(problemOf({ deployment: { imageName: "mine/engine:1" } })));
    expect(error.message).toContain("it is not told which engine is in the image");
  });

  it("is told to be no version where its tag can be none", () => {
    const deployment = { backend: "custom", imageName: "mine/engine:1..2" };
    expect(thrownBy(() => chooseBackend(problemOf({ deployment }))).code).toBe("stack-inconsistent");
  });
});

describe("what an administrator installed", () => {
  it.each(["2.0", "9.9", "v0.7.3"])("is any version by its exact name, with no word of it in a file: %s", (version) => {
    const deployment = { backend: "engine", backendVersion: version, install: "manual" as const };
    const { install, release } = draftRelease(problemOf({ deployment, acceleratorType: "cuda" }));
    expect([install.method, release.backendVersion]).toEqual(["manual", version]);
  });
});

describe("a host with devices", () => {
  const onCpu = { pipx: { package: "engine" } };
  const onCuda = { image: { reference: "team/engine:1", acceleratorTypes: ["cuda" as const] } };
  const mixed = catalogueOf([
    engineBackend({
      defaultVersion: "3.0",
      versions: { "1.0": { install: onCuda }, "2.0": { install: onCuda }, "3.0": { install: onCpu } },
    }),
  ]);
  const chosen = (backendVersion?: string) => {
    const deployment = { backend: "engine", ...(backendVersion === undefined ? {} : { backendVersion }) };
    return draftRelease({ ...problemOf({ deployment, acceleratorType: "cuda" }), catalogue: mixed });
  };

  it.each([undefined, ">=1", "*"])("gets the highest version that serves them, where %s is asked for", (asked) => {
    const { release, install, warnings, reason } = chosen(asked);
    expect([release.backendVersion, install.method, warnings]).toEqual(["2.0", "image", []]);
    expect(reason).toContain("the highest that can be installed there, unlike 3.0");
  });

  it.each(["3.0", ">2"])("gets a version without anything for them on its processor, and a warning: %s", (asked) => {
    const { release, install, warnings } = chosen(asked);
    expect([release.backendVersion, install.method]).toEqual(["3.0", "pipx"]);
    expect(warnings).toEqual(["deployment chat: engine 3.0 has nothing for cuda, so it runs on the processor"]);
  });
});

describe("the context length", () => {
  const parametersOf = (deployment: Partial<DeployedEngine>) =>
    draftRelease(problemOf({ deployment: { backend: "engine", parameters: [], ...deployment } })).release.parameters;

  it("is 8192 where nobody says it, for models that generate text", () => {
    expect(parametersOf({ contextLength: undefined })).toEqual(["--ctx-size", "8192"]);
    expect(parametersOf({ contextLength: undefined, category: "embedding" })).toEqual([]);
    expect(parametersOf({ contextLength: 512, category: "embedding" })).toEqual(["--ctx-size", "512"]);
  });

  it("is told not to be passed on where the engine has no flag for it", () => {
    const { contextLengthFlag: _, ...flagless } = engineBackend();
    const problem = { ...problemOf({ deployment: { backend: "engine" } }), catalogue: catalogueOf([flagless]) };
    expect(draftRelease(problem).warnings).toEqual([
      "deployment chat: `contextLength` is not passed on, because engine has no flag for it",
    ]);
  });
});

describe("backend: custom", () => {
  it("needs no file: an image, named by its tag, and a command", () => {
    const deployment = { backend: "custom", imageName: "mine/engine:2", runCommand: "serve {{port}}", env: { A: "1" } };
    const { release, install } = draftRelease(problemOf({ deployment }));
    expect(release).toMatchObject({
      backend: "custom",
      backendVersion: "2",
      runCommand: "serve {{port}}",
      env: { A: "1" },
      healthPath: "/v1/models",
    });
    expect(install).toEqual({ method: "image", reference: "mine/engine:2" });
  });

  it("needs an image", () => {
    expect(thrownBy(() => chooseBackend(problemOf({ deployment: { backend: "custom" } }))).message).toBe(
      "deployment chat: a custom backend needs an image\n  expected: `imageName`, and mostly `runCommand`\n  to do: add them, or name a backend of backends/",
    );
  });
});

describe("a version that cannot be installed on the host", () => {
  it("is an error that says why not, for each way", () => {
    const deployment = { backend: "engine" };
    const { platform: onLinux, ...rest } = problemOf({ deployment });
    const error = thrownBy(() => draftRelease({ ...rest, platform: { ...onLinux, os: "windows" } }));
    expect([error.code, error.parts.what]).toEqual(["host-unsuitable", "engine 2.0 cannot be installed on the host"]);
    expect(error.parts.detail?.split("\n")).toHaveLength(4);
    expect(error.parts.detail).toMatch(/^pipx: not for windows/m);
  });
});

describe("a version's known flags and architectures", () => {
  const { versions } = engineBackend();
  const base = versions["2.0"];
  const limited = catalogueOf([
    engineBackend({
      defaultVersion: "2.0",
      versions: {
        "2.0": {
          install: { pipx: { package: "engine", requirements: "engine/2.0.txt" } },
          env: base?.env ?? {},
          knownFlags: ["--fast", "--ctx-size", "--swap-space"],
          architectures: ["LlamaForCausalLM"],
        },
      },
    }),
  ]);

  it("warn of a flag that it does not know, with the nearest that it does", () => {
    const problem = problemOf({ deployment: { backend: "engine", parameters: ["--swap-spaces", "4"] } });
    expect(draftRelease({ ...problem, catalogue: limited }).warnings).toEqual([
      "deployment chat: engine 2.0 is not known to have --swap-spaces; is --swap-space meant?",
    ]);
  });

  it("refuse a model that it does not serve", () => {
    const problem = problemOf({ deployment: { backend: "engine", architecture: "MambaForCausalLM" } });
    expect(thrownBy(() => draftRelease({ ...problem, catalogue: limited })).message).toContain("MambaForCausalLM");
  });
});

it("chooses by what the model's files tell, where the deployment says nothing", () => {
  const chosen = (model: LockedModel, category?: DeployedEngine["category"]) => {
    const problem = problemOf(category === undefined ? {} : { deployment: { category } });
    return chooseBackend({ ...problem, model }).backend.name;
  };
  const speech = repositoryModel(["config.json", "m.safetensors"], { format: "safetensors", category: "stt" });
  expect(chosen(speech)).toBe("vox-box");
  expect(chosen(speech, "llm")).toBe("vllm");
  expect(chosen(repositoryModel(["q/m.gguf"], { file: "q/m.gguf", format: "gguf" }))).toBe("llama-cpp");
});
