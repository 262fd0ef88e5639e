import { describe, expect, it } from "vitest";
import type { z } from "zod";

import {
  chooseImage,
  chooseRunnerTemplates,
  placeholderValues,
  resolveRunnerCommand,
  type DeploymentCommand,
  type RunnerChoice,
  type RunnerForm,
} from "../../../src/catalog/runner-command.js";
import { backendFile } from "../../../src/schema/backend.js";
import { referenceBackend } from "../support/reference-files.js";
import { thrownBy } from "../support/thrown.js";

type Written = z.input<typeof backendFile>;

const values = placeholderValues({
  modelPath: "/models/example",
  modelName: "example",
  bindAddress: "127.0.0.1",
  port: 8000,
  devices: ["0", "1"],
});
const process: RunnerForm = { kind: "process", executable: "/opt/bin/engine_1.0" };
const container = (image: string): RunnerForm => ({ kind: "container", image });
const never = () => false;

/** A choice of a backend `engine` of one version 1.0. */
function choiceOf(
  backend: Partial<Written>,
  entry: Partial<Written["versions"][string]> = {},
  deployment: DeploymentCommand = {},
  changes: Partial<RunnerChoice> = {},
): RunnerChoice {
  const file = backendFile.parse({
    schemaVersion: 1,
    name: "engine",
    versions: { "1.0": { install: {}, ...entry } },
    ...backend,
  });
  const version = file.versions["1.0"];
  if (version === undefined) throw new Error("the backend has no version 1.0");
  return { backend: file, version: "1.0", entry: version, deployment, form: process, satisfies: never, ...changes };
}

/** What a version of a document in GPUStack's format runs, as a process and as a container. */
function commandsOf(name: string, version: string, deployment: DeploymentCommand = {}) {
  const { value: backend } = referenceBackend(name);
  const entry = backend.versions[version];
  const image = entry === undefined ? undefined : chooseImage(undefined, entry);
  if (entry === undefined || image === undefined) throw new Error(`there is no image of ${name} ${version}`);
  const choice = { backend, version, entry, deployment, satisfies: never };
  const executable = `/opt/bin/${backend.name}_${version}`;
  return {
    image,
    container: resolveRunnerCommand({ ...choice, form: container(image) }, values, backend.defaultParameters),
    process: resolveRunnerCommand(
      { ...choice, form: { kind: "process", executable } },
      values,
      backend.defaultParameters,
    ),
  };
}

describe("the examples of GPUStack's guide run exactly as they say", () => {
  it("my-backend-custom v1: the version's environment over the backend's, and both in the command", () => {
    const env = { MODEL_CACHE_DIR: "/custom-cache", LOG_LEVEL: "info" };
    const words = ["serve", "/models/example", "--cache", "/custom-cache", "--log-level", "info", "--port", "8000"];
    expect(commandsOf("my-backend-custom", "v1")).toEqual({
      image: "my-image:v1",
      container: { entrypoint: undefined, argv: words, env },
      process: { entrypoint: undefined, argv: ["/opt/bin/my-backend-custom_v1", ...words], env },
    });
  });

  it("vLLM 0.19.0: its entrypoint before its command", () => {
    const words = ["/models/example", "--host", "127.0.0.1", "--port", "8000", "--served-model-name", "example"];
    expect(commandsOf("vllm", "0.19.0")).toEqual({
      image: "vllm/vllm-openai:v0.19.0",
      container: { entrypoint: ["vllm", "serve"], argv: words, env: {} },
      process: { entrypoint: undefined, argv: ["/opt/bin/vllm_0.19.0", "serve", ...words], env: {} },
    });
  });

  it("SGLang 0.5.10", () => {
    const words = ["--model-path", "/models/example", "--host", "127.0.0.1", "--port", "8000"];
    expect(commandsOf("sglang", "0.5.10")).toEqual({
      image: "lmsysorg/sglang:v0.5.10",
      container: { entrypoint: ["sglang", "serve"], argv: words, env: {} },
      process: { entrypoint: undefined, argv: ["/opt/bin/sglang_0.5.10", "serve", ...words], env: {} },
    });
  });

  it("sglang-custom 0.5.10", () => {
    const words = ["--model-path", "/models/example", "--host", "127.0.0.1", "--port", "8000"];
    const all = [...words, "--served-model-name", "example"];
    expect(commandsOf("sglang-custom", "0.5.10")).toEqual({
      image: "lmsysorg/sglang:v0.5.10",
      container: { entrypoint: ["sglang", "serve"], argv: all, env: {} },
      process: { entrypoint: undefined, argv: ["/opt/bin/sglang-custom_0.5.10", "serve", ...all], env: {} },
    });
  });

  it("a deployment's environment reaches the command too", () => {
    const { container: command } = commandsOf("my-backend-custom", "v1", { env: { LOG_LEVEL: "debug", EXTRA: "1" } });
    expect(command.argv.slice(4, 6)).toEqual(["--log-level", "debug"]);
    expect(command.env).toEqual({ MODEL_CACHE_DIR: "/custom-cache", LOG_LEVEL: "debug", EXTRA: "1" });
  });
});

describe("precedence", () => {
  const given = [false, true];
  const cases = given.flatMap((deployment) =>
    given.flatMap((version) => given.map((backend) => ({ deployment, version, backend }))),
  );

  it.each(cases)("deployment $deployment, version $version, backend $backend", (says) => {
    const text = (name: "deployment" | "version" | "backend") =>
      says[name] ? { entrypoint: `${name}-engine run`, runCommand: `${name} --flag` } : {};
    const choice = choiceOf(text("backend"), text("version"), text("deployment"), { form: container("engine:1.0") });
    const first = (["deployment", "version", "backend"] as const).find((name) => says[name]);
    expect(resolveRunnerCommand(choice, values, ["--more"])).toEqual({
      entrypoint: first === undefined ? undefined : [`${first}-engine`, "run"],
      argv: first === undefined ? ["--more"] : [first, "--flag", "--more"],
      env: {},
    });
  });

  it("merges environments, each over the one before: backend, version, deployment", () => {
    const all = (name: string, ...variables: string[]) => ({
      env: Object.fromEntries(variables.map((variable) => [variable, name])),
    });
    const choice = choiceOf(all("backend", "A", "B", "C"), all("version", "B", "C"), all("deployment", "C", "D"));
    expect(chooseRunnerTemplates(choice).env).toEqual({ A: "backend", B: "version", C: "deployment", D: "deployment" });
  });

  it("takes a command without words as one: nothing comes after the executable", () => {
    const choice = choiceOf({ runCommand: "serve" }, { runCommand: "" });
    expect(resolveRunnerCommand(choice, values, []).argv).toEqual(["/opt/bin/engine_1.0"]);
  });
});

describe("what a backend knows of its images", () => {
  const images: Written["images"] = [
    { repository: "team/engine", versions: ">=2", entrypoint: "engine serve", runCommand: "{{model_path}}" },
    { repository: "team/engine", entrypoint: "python3 -m engine", runCommand: "--model {{model_path}}" },
    { repository: "other", entrypoint: "other" },
  ];
  const from2 = (version: string, constraint: string) =>
    constraint === "*" || (constraint === ">=2" && Number.parseFloat(version) >= 2);
  const resolve = (
    image: string,
    version: string,
    entry: Partial<Written["versions"][string]> = {},
    deployment: DeploymentCommand = {},
  ) => {
    const changes = { form: container(image), version, satisfies: from2 };
    return resolveRunnerCommand(
      choiceOf({ images, runCommand: "serve {{model_path}}" }, entry, deployment, changes),
      values,
      [],
    );
  };
  const model = "/models/example";

  it.each([
    ["team/engine:1", "1.9", ["python3", "-m", "engine"], ["--model", model]],
    ["team/engine:2", "2.0", ["engine", "serve"], [model]],
    ["docker.io/team/engine:2@sha256:00", "2.0", ["engine", "serve"], [model]],
    ["registry.example.net:5000/hub/team/engine", "2.0", ["engine", "serve"], [model]],
    ["team/engine:2", "2.0-custom", ["engine", "serve"], [model]],
    ["other", "1.0", ["other"], ["serve", model]],
    ["team/engine-cpu:2", "2.0", undefined, ["serve", model]],
    ["myteam/engine:2", "2.0", undefined, ["serve", model]],
  ])("%s of version %s has the entrypoint %j", (image, version, entrypoint, argv) => {
    expect(resolve(image, version)).toEqual({ entrypoint, argv, env: {} });
  });

  it("asks with the engine's version, without the ending that GPUStack gives to people's own", () => {
    const asked: string[] = [];
    const satisfies = (version: string) => asked.push(version) < 0;
    for (const version of ["2.0-custom", "2.0-CUSTOM", "v2.0", "custom-2"]) {
      chooseRunnerTemplates(choiceOf({ images }, {}, {}, { form: container("other"), version, satisfies }));
    }
    expect(asked).toEqual(["2.0", "2.0", "v2.0", "custom-2"]);
  });

  it("is nothing to a process", () => {
    const choice = choiceOf({ images, runCommand: "serve {{model_path}}" }, {}, {}, { satisfies: from2 });
    expect(resolveRunnerCommand(choice, values, []).argv).toEqual(["/opt/bin/engine_1.0", "serve", model]);
  });

  it("stands back with its command too where another entrypoint is given", () => {
    const { entrypoint, argv } = resolve("team/engine:2", "2.0", { entrypoint: "/init engine" });
    expect([entrypoint, argv]).toEqual([
      ["/init", "engine"],
      ["serve", model],
    ]);
  });

  it("still gives the command where the same entrypoint is given", () => {
    const { entrypoint, argv } = resolve("team/engine:2", "2.0", {}, { entrypoint: "engine  serve" });
    expect([entrypoint, argv]).toEqual([["engine", "serve"], [model]]);
  });

  it("gives its entrypoint alone where version or deployment give the command", () => {
    const byVersion = resolve("team/engine:2", "2.0", { runCommand: "version" });
    const byDeployment = resolve("team/engine:2", "2.0", { runCommand: "version" }, { runCommand: "deployment" });
    expect([byVersion.entrypoint, byVersion.argv]).toEqual([["engine", "serve"], ["version"]]);
    expect([byDeployment.entrypoint, byDeployment.argv]).toEqual([["engine", "serve"], ["deployment"]]);
  });
});

describe("chooseImage", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const install = { image: { reference: "team/engine:1", digest, platforms: ["linux/amd64" as const] } };

  it("takes the deployment's, else the version's with its digest, else the runner catalogue's", () => {
    expect(chooseImage("mine:1", { install }, "runner:1")).toBe("mine:1");
    expect(chooseImage(undefined, { install }, "runner:1")).toBe(`team/engine:1@${digest}`);
    expect(chooseImage(undefined, { install: {} }, "runner:1")).toBe("runner:1");
    expect(chooseImage(undefined, { install: {} })).toBeUndefined();
  });
});

describe("placeholderValues", () => {
  const place = { modelPath: "/m", modelName: "m", bindAddress: "192.0.2.7", port: 14000, devices: ["2", "5"] };

  it("are the bind address and the host's port where the network is the host's", () => {
    expect(placeholderValues(place)).toEqual({
      model_path: "/m",
      mmproj_path: "",
      model_name: "m",
      port: "14000",
      worker_ip: "192.0.2.7",
      gpu_count: "2",
      gpu_ids: "2,5",
    });
  });

  it("are every address and the container's port in a network namespace of its own", () => {
    expect(placeholderValues({ ...place, containerPort: 8000 })).toMatchObject({ port: "8000", worker_ip: "0.0.0.0" });
  });
});

describe("errors", () => {
  it("name the file and what says the template", () => {
    const choice = choiceOf({}, { entrypoint: "engine | tee" });
    const { code, message } = thrownBy(() => resolveRunnerCommand(choice, values, []));
    expect([code, message.split("\n")[0]]).toEqual([
      "command-invalid",
      "backends/engine.yaml, entrypoint of the version: the command holds the shell operator | at column 8",
    ]);
  });

  it("never show a value", () => {
    const choice = choiceOf({ runCommand: "{{TOKEN}}" }, {}, { env: { TOKEN: "hunter2 | 'x" } });
    expect(thrownBy(() => resolveRunnerCommand(choice, values, [])).message).not.toContain("hunter2");
  });
});
