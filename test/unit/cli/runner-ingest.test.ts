import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { parseRunnerName } from "../../../src/catalog/runner-name.js";
import { resolveRunner } from "../../../src/catalog/runner-resolution.js";
import { runnerTables } from "../../../src/catalog/runner-tables.js";
import { chooseInstall } from "../../../src/catalog/selection.js";
import { ingestBackend, ingestService } from "../../../src/cli/runner-ingest.js";
import { lintRunners } from "../../../src/cli/runner-lint.js";
import { printRunners } from "../../../src/cli/runner-list.js";
import { printBuilds } from "../../../src/cli/runner-plan.js";
import { gatherHost } from "../../../src/host/facts.js";
import { readCatalogue } from "../../../src/lock/project.js";
import { readAcceleratorTypes, readDeclaredDevices, readRunners } from "../../../src/lock/runner-files.js";
import { containerDevices } from "../../../src/planner/container-devices.js";
import { deviceVariables } from "../../../src/planner/device-variables.js";
import { deriveLabels } from "../../../src/planner/labels.js";
import { repository } from "../support/repository.js";
import { rejectionOf, thrownBy } from "../support/thrown.js";
import { ToolHost } from "../support/tool-host.js";
import { testProject, type TestProject } from "../support/workplaces.js";

const backend = { service: "newengine", serviceVersion: "0.1.0", runtimeVersion: "1.2.3", vendor: "newvendor" };
const look = "uname Linux 6.1 x86_64\nuser root\nhome /root\ncpus 8\nramKib 1000000\ndf x 1 1 1 1% /\n";
const deviceFiles = "new_ctl\nnewtype0\nnewtype1\nnull\n";

/** As the steps say: the commands, and then what they marked. */
async function ingested(): Promise<TestProject> {
  const project = await testProject({
    "backends/newengine.yaml": `schemaVersion: 1
name: newengine
healthPath: /health
runCommand: serve --port {{port}}
defaultVersion: "0.1.0"
versions:
  "0.1.0":
    install: { image: { reference: gpustack/runner:newtype1.2-newengine0.1.0, acceleratorTypes: [newtype] } }
`,
  });
  const { workplace } = project;
  await ingestBackend(workplace, "newtype", backend);
  await ingestService(workplace, "vllm", { backend: "newtype", serviceVersion: "0.9.0", platform: ["linux/amd64"] });
  await ingestService(workplace, "newengine", { backend: "cuda", serviceVersion: "0.1.0", platform: ["linux/arm64"] });
  edit(project, "backends/runners/newtype.yaml", {
    '  nodes: ["/dev/newtype{{index}}"]': `  nodes: [/dev/new_ctl, "/dev/newtype{{index}}"]
  variable: NEW_VISIBLE_DEVICES
  memoryBytes: 34359738368
  runtimeVersion: { command: [cat, /opt/new/version], pattern: "^(\\\\S+)" }`,
    "comparable: false": "comparable: true",
    "published: false": "platforms: [linux/amd64]",
  });
  project.printed.length = 0;
  project.noted.length = 0;
  return project;
}

function edit({ workplace }: TestProject, file: string, changes: Record<string, string>): void {
  const path = join(workplace.root, file);
  const text = readFileSync(path, "utf8");
  for (const before of Object.keys(changes)) expect(text).toContain(before);
  writeFileSync(
    path,
    Object.entries(changes).reduce((all, [before, after]) => all.replace(before, () => after), text),
  );
}

class NewHost extends ToolHost {
  override run(argv: readonly [string, ...string[]]) {
    const isFiles = argv[0] === "/bin/sh" && argv.includes("/dev/newtype1");
    const stdout = "- 0 /dev/new_ctl\n- 992 /dev/newtype0\n- 992 /dev/newtype1\n";
    return isFiles ? Promise.resolve({ exitCode: 0, stdout, stderr: "" }) : super.run(argv);
  }

  override listeningPorts() {
    return Promise.resolve(new Set<number>());
  }
}

async function factsOf({ root }: TestProject["workplace"]) {
  const host = new NewHost({ look, "ls /dev": deviceFiles, "cat /opt/new/version": "1.4\n" });
  const { facts } = await gatherHost(host, { declared: readDeclaredDevices(root, repository) });
  return facts;
}

describe("an accelerator type and a service that are ingested", () => {
  it("are listed, and their names are read", async () => {
    const { workplace, printed } = await ingested();
    printRunners(workplace, { format: "names", namespace: "gpustack", service: "newengine" });
    expect(printed).toEqual(["gpustack/runner:cuda12.9-newengine0.1.0", "gpustack/runner:newtype1.2-newengine0.1.0"]);
    const { vocabulary } = readRunners(workplace.root, repository);
    const readings = printed.map((name) => parseRunnerName(name, vocabulary));
    expect(readings.map((reading) => reading.kind === "runner" && reading.name.acceleratorType)).toEqual([
      "cuda",
      "newtype",
    ]);
  });

  it("are found on a host, given to its runners, and an image is resolved for it", async () => {
    const { workplace } = await ingested();
    const facts = await factsOf(workplace);
    expect(facts.accelerators.map(({ type, uuid, runtimeVersion }) => [type, uuid, runtimeVersion])).toEqual([
      ["newtype", "newtype-0", "1.4"],
      ["newtype", "newtype-1", "1.4"],
    ]);
    expect(deriveLabels(facts)).toMatchObject({ accelerator: "newtype" });
    expect(deviceVariables(["newtype-1"], facts)).toEqual({ NEW_VISIBLE_DEVICES: "1" });
    expect(containerDevices(["newtype-1"], facts, "chat")).toEqual({
      ...{ form: "declaredNodes", ids: ["newtype-1"], nodes: ["/dev/new_ctl", "/dev/newtype1"] },
      ...{ groups: [992], driverFiles: [], variable: "NEW_VISIBLE_DEVICES" },
    });
    const resolution = resolveRunner(readRunners(workplace.root, repository), facts, { service: "newengine" });
    expect(resolution).toMatchObject({ kind: "resolved", image: { tag: "newtype1.2-newengine0.1.0" } });
    expect(resolution.reason).toContain("newtype 1.2 is not above the host's 1.4");
  });

  it("are what versions of backends are for, and placements take them", async () => {
    const { workplace } = await ingested();
    const [entry] = Object.values(readCatalogue(workplace.root, repository).backends.newengine?.versions ?? {});
    if (entry === undefined) throw new Error("the backend is not there");
    const on = (acceleratorType: string) => chooseInstall(entry, { os: "linux", arch: "x64", acceleratorType });
    expect([on("newtype").ok, on("cuda").ok]).toEqual([true, false]);
    edit({ workplace, printed: [], noted: [] }, "backends/newengine.yaml", { "[newtype]": "[newtipe]" });
    const message = thrownBy(() => readCatalogue(workplace.root, repository)).message;
    expect(message).toMatch(/^backends\/newengine.yaml:8:\d+: no accelerator type is called newtipe; expected one of/);
    expect(message).toContain("newtype, rocm; did you mean newtype?");
    expect(readAcceleratorTypes(workplace.root, repository)).toContain("newtype");
  });

  it("are planned to be built, and the Dockerfiles follow the convention", async () => {
    const { workplace, printed, noted } = await ingested();
    expect(lintRunners(workplace, [], { format: "table" })).toBe(0);
    expect(noted).toEqual(["6 Dockerfiles, no findings"]);
    printBuilds(workplace, { format: "json", namespace: "gpustack", accelerator: "newtype", release: true });
    const { manifests } = JSON.parse(printed.join("\n")) as { manifests: { image: string }[] };
    expect(manifests.map(({ image }) => image).sort()).toEqual([
      "gpustack/runner:newtype1.2-newengine0.1.0",
      "gpustack/runner:newtype1.2-vllm0.9.0",
    ]);
    printed.length = 0;
    printBuilds(workplace, { format: "json", namespace: "gpustack", accelerator: "cuda", release: true });
    const cuda = printed.join("\n");
    for (const tag of ["cuda12.9-newengine0.1.0", "cuda12.9-vllm"]) expect(cuda).toContain(`gpustack/runner:${tag}`);
  });

  it("are in the tables of the documentation", async () => {
    const { workplace } = await ingested();
    const text = runnerTables(readRunners(workplace.root, repository));
    expect(text).toContain("## Newtype (`newtype`)");
    expect(text).toContain("| version | Newengine | vLLM |\n| --- | --- | --- |\n| 1.2 | 0.1.0 | 0.9.0 |");
    expect(text).toContain("| version | vLLM | SGLang | VoxBox | Newengine |");
  });

  it("need no file of devices where Berth knows the vendor's: neuware", async () => {
    const { workplace } = await testProject();
    await ingestBackend(workplace, "neuware", { ...backend, vendor: "cambricon", platform: ["linux/amd64"] });
    expect(readDeclaredDevices(workplace.root, repository)).toEqual([]);
    const card = { type: "neuware", index: 0, uuid: "MLU-1", memoryBytes: 1, name: "MLU590", driverVersion: "6" };
    const facts = { os: "linux" as const, arch: "x64" as const, accelerators: [card] };
    expect(resolveRunner(readRunners(workplace.root, repository), facts, { service: "newengine" })).toMatchObject({
      image: { tag: "neuware1.2-newengine0.1.0" },
    });
    expect(containerDevices(["MLU-1"], facts, "chat")).toMatchObject({ form: "numberedNodes", indexes: [0] });
  });
});

describe("what is ingested", () => {
  it("is not there as an image until that is released", async () => {
    const { workplace, printed, noted } = await testProject();
    await ingestBackend(workplace, "newtype", backend);
    expect(printed).toEqual([".yaml", "/Dockerfile", "/matrix.yaml"].map((end) => `backends/runners/newtype${end}`));
    expect(noted[0]).toBe("to do:");
    const [image] = readRunners(workplace.root, repository).images.filter(
      ({ acceleratorType }) => acceleratorType === "newtype",
    );
    expect(image).toMatchObject({ tag: "newtype1.2-newengine0.1.0", published: false });
  });

  it("is a word that every object of the language has, as any other", async () => {
    const { workplace, printed } = await testProject();
    await ingestBackend(workplace, "constructor", { ...backend, service: "valueof" });
    await ingestService(workplace, "constructor", {
      backend: "cuda",
      serviceVersion: "1.0",
      platform: ["linux/amd64"],
    });
    printed.length = 0;
    printRunners(workplace, { format: "names", namespace: "gpustack", service: "constructor" });
    expect(printed).toEqual(["gpustack/runner:cuda12.9-constructor1.0"]);
    const catalogue = readRunners(workplace.root, repository);
    expect(parseRunnerName("gpustack/runner:constructor1.2-valueof0.1.0", catalogue.vocabulary).kind).toBe("runner");
    expect(runnerTables(catalogue)).toContain("| version | Valueof |");
    const error = await rejectionOf(ingestService(workplace, "engine", { backend: "tostring", serviceVersion: "1.0" }));
    expect(error.message).toContain("there is no accelerator type tostring");
  });

  it("changes no line of the files that it is added to, also where lines end as in Windows", async () => {
    const read = (file: string) =>
      readFileSync(join(repository, "backends/runners", file), "utf8").replaceAll("\n", "\r\n");
    const names = ["cuda.yaml", "cuda/matrix.yaml", "cuda/Dockerfile.vllm", "cuda/Dockerfile.sglang"];
    const { workplace } = await testProject(
      Object.fromEntries(names.map((name) => [`backends/runners/${name}`, read(name)])),
    );
    await ingestService(workplace, "newengine", { backend: "cuda", serviceVersion: "0.1.0" });
    for (const name of ["cuda.yaml", "cuda/matrix.yaml"]) {
      const text = readFileSync(join(workplace.root, "backends/runners", name), "utf8");
      expect(text.replaceAll("\r\n", "")).not.toContain("\n");
      const added = text.split("\r\n").filter((line) => !read(name).split("\r\n").includes(line));
      const rest = text.split("\r\n").filter((line) => !added.includes(line));
      expect(rest.join("\r\n").startsWith(read(name).slice(0, 300))).toBe(true);
      expect(added.length).toBeGreaterThan(0);
    }
  });

  it("is written nowhere where a file has what it needs by an alias", async () => {
    const own = readFileSync(join(repository, "backends/runners/cuda.yaml"), "utf8").replace(
      "services:\n",
      "services: &all\n",
    );
    const { workplace } = await testProject({ "backends/runners/cuda.yaml": own });
    const options = { backend: "cuda", serviceVersion: "0.1.0" };
    const error = await rejectionOf(ingestService(workplace, "newengine", options));
    expect([error.code, error.message]).toEqual([
      "file-invalid",
      expect.stringContaining("what is to be changed is in &all"),
    ]);
    expect(existsSync(join(workplace.root, "backends/runners/cuda"))).toBe(false);
  });

  it("leaves comments of the files that it is added to", async () => {
    const { workplace } = await ingested();
    const read = (root: string, file: string) => readFileSync(join(root, "backends/runners", file), "utf8").split("\n");
    for (const file of ["cuda.yaml", "cuda/matrix.yaml"]) {
      const added = read(workplace.root, file);
      expect(read(repository, file).filter((line) => !added.includes(line))).toEqual([]);
    }
  });

  it.each<[string, Partial<typeof backend>, string]>([
    ["cuda", {}, "the accelerator type cuda is there already"],
    ["metal", {}, "metal is an accelerator type without images"],
    ["new1", {}, "new1 is not of small letters alone"],
    ["newtype", { service: "a" }, "the variant a3 of cann begins as the service a does"],
    ["newtype", { serviceVersion: "latest" }, "latest is no version of a service"],
    ["newtype", { runtimeVersion: "12" }, "12 is no version of a runtime"],
  ])("is refused: %s with %j", async (type, changes, problem) => {
    const { workplace } = await testProject();
    const error = await rejectionOf(ingestBackend(workplace, type, { ...backend, ...changes }));
    expect([error.code, error.message]).toEqual(["usage", expect.stringContaining(problem)]);
  });

  it.each<[string, string, string | undefined, string]>([
    [
      "vllm",
      "cuda",
      undefined,
      "NVIDIA CUDA has the service vllm already\n  to do: a further version of it is a rule in",
    ],
    ["sglang", "corex", "Sgl", "the service sglang is called SGLang elsewhere"],
    ["engine", "newtype", undefined, "there is no accelerator type newtype"],
  ])("is refused: the service %s of %s, called %s", async (service, type, serviceName, problem) => {
    const { workplace } = await testProject();
    const options = { backend: type, serviceVersion: "1.0", ...(serviceName === undefined ? {} : { serviceName }) };
    const error = await rejectionOf(ingestService(workplace, service, options));
    expect([error.code, error.message]).toEqual(["usage", expect.stringContaining(problem)]);
  });
});
