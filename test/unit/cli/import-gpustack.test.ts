import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";

import { importGpustack } from "../../../src/cli/import-gpustack.js";
import { readBackendDocument } from "../../../src/lock/backend-document.js";
import { stackFile } from "../../../src/schema/stack.js";
import { exportPath, newExport, oldExport } from "../support/reference-exports.js";
import { referenceBackend } from "../support/reference-files.js";
import { rejectionOf } from "../support/thrown.js";
import { testProject, type TestProject } from "../support/workplaces.js";

const out = "stacks/imported.yaml";
const read = ({ workplace }: TestProject, file: string) => readFileSync(join(workplace.root, file), "utf8");

async function importing(names: readonly string[], files: Record<string, string> = {}): Promise<TestProject> {
  const project = await testProject(files);
  await importGpustack(project.workplace, names.map(exportPath), { out });
  return project;
}

const anyStack = z.looseObject({
  hosts: z.record(z.string(), z.unknown()),
  deployments: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});

/** What a person does last: each deployment gets a pinned model. */
function completed(text: string): unknown {
  const stack = anyStack.parse(parse(text));
  const model = { source: "file", path: "/models/m.gguf", sha256: "0".repeat(64) };
  const deployments = Object.entries(stack.deployments).map(([name, entry]) => [name, { ...entry, model }]);
  return { ...stack, deployments: Object.fromEntries(deployments) as unknown };
}

describe.each([
  ["v0.7 and earlier", oldExport],
  ["v2", newExport],
])("an export of %s", (_, names) => {
  it("gives a stack file that is one as soon as its models are pinned", async () => {
    const text = read(await importing(names), out);
    expect(stackFile.safeParse(completed(text)).error).toBeUndefined();
  });

  it("says that it is not complete, and where, in the file and on the screen", async () => {
    const project = await importing(names);
    const lines = read(project, out).split("\n");
    expect(lines[1]).toContain("It is not complete");
    const marked = lines
      .filter((line) => line.includes("# TO COMPLETE: "))
      .map((line) => line.split("TO COMPLETE: ")[1]);
    const begin = project.printed.indexOf("To complete:") + 1;
    const told = project.printed.slice(begin, project.printed.indexOf("", begin));
    expect(told.map((line) => line.replace(/^ {2}[a-z0-9-]+: /, ""))).toEqual(marked);
    const { deployments } = anyStack.parse(parse(lines.join("\n")));
    const unpinned = Object.values(deployments).filter(
      ({ model }) => !z.looseObject({ source: z.literal("huggingface") }).safeParse(model).success,
    );
    expect(marked.length).toBeGreaterThanOrEqual(unpinned.length);
  });

  it("leaves secrets out of all that is written and printed", async () => {
    const project = await importing(names);
    const folder = join(project.workplace.root, "backends");
    const backends = existsSync(folder) ? readdirSync(folder).map((file) => read(project, `backends/${file}`)) : [];
    const all = [read(project, out), ...backends, ...project.printed, ...project.noted].join("\n");
    expect(all).not.toMatch(/made-up-secret/);
  });
});

describe("backends of an export", () => {
  it("are files in Berth's own format, of those that have versions of one's own", async () => {
    const project = await importing(newExport);
    const folder = join(project.workplace.root, "backends");
    expect(readdirSync(folder).sort()).toEqual(["made-up-embeddings.yaml", "my-backend-custom.yaml", "vllm.yaml"]);
    const documents = readdirSync(folder).map((file) => readBackendDocument(read(project, `backends/${file}`), file));
    expect(documents.map(({ format, notes }) => [format, notes])).toEqual(documents.map(() => ["berth", []]));
    expect(documents.map(({ value }) => Object.keys(value.versions ?? {}))).toEqual([
      ["cpu-1.9"],
      ["v1"],
      ["0.19.0-custom"],
    ]);
  });

  it("run as the same backends of the user guide do", async () => {
    const project = await importing(newExport);
    const { value } = readBackendDocument(read(project, "backends/vllm.yaml"), "vllm.yaml");
    const guide = referenceBackend("vllm").value;
    expect(value.versions?.["0.19.0-custom"]).toEqual(guide.versions["0.19.0"]);
  });

  it("are told of where nothing is taken, and where a value looks like a secret", async () => {
    const { printed } = await importing(newExport);
    expect(printed).toContain("  backend MindIE: it has no versions of your own; Berth's own are taken");
    expect(printed).toContain("  backend Made-Up-Offer: it is offered there, but not enabled");
    expect(printed).toContainEqual(
      expect.stringMatching(/^ {2}backend my-backend-custom: version v1: MY_API_KEY is left out, because/),
    );
    expect(printed).toContainEqual(expect.stringMatching(/no accelerator type is called vulkan, so this version/));
  });
});

describe("the stack file", () => {
  it("has the one worker as its host by ssh, with the labels that people gave", async () => {
    const stack = anyStack.parse(parse(read(await importing(oldExport), out)));
    expect(stack.hosts).toEqual({
      "node-a": { connection: "ssh", ssh: { address: "192.0.2.11" }, labels: { pool: "gpu" } },
    });
  });

  it("has several workers as hosts, what they are in comments, and asks for each deployment's", async () => {
    const project = await importing(newExport);
    expect(anyStack.parse(parse(read(project, out))).hosts).toEqual({
      "node-1": { connection: "ssh", ssh: { address: "198.51.100.1" }, labels: { pool: "h1000" } },
      "node-2": { connection: "ssh", ssh: { address: "198.51.100.2" }, labels: { pool: "h1000" } },
    });
    expect(read(project, out)).toContain(
      "    # The worker node-1 (198.51.100.1, Ubuntu 22.04, 8 x Made-Up H1000 (cuda)).\n",
    );
    expect(read(project, out)).toContain("# TO COMPLETE: the host it runs on, as `host`: node-1 or node-2\n");
  });

  it("is complete, and says so, where there are workers alone", async () => {
    const text = read(await importing(["synthetic-v0.7-workers"]), out);
    expect(text.split("\n")[1]).toBe("# It is complete.");
    expect(stackFile.safeParse(parse(text)).error).toBeUndefined();
  });

  it("leaves out what does not run there, and says so", async () => {
    const project = await importing(oldExport);
    expect(read(project, out)).not.toContain("made-up-asleep");
    expect(project.printed).toContain("  model made-up-asleep: it has no replicas, so there is no deployment of it");
  });

  it("stays a stack file whatever names, labels and commands hold", async () => {
    const nasty = "x\ny: z\r# \u2028- '\"\u0007\u001b[31m{{";
    const models = ["a", "A", "é"].map((name) => ({
      name: `${name}${nasty}`,
      source: "local_path",
      local_path: `/${nasty}`,
      backend: "e",
      backend_parameters: [nasty, "--x", nasty],
      env: { A: nasty },
      gpu_selector: { gpu_ids: [nasty] },
      [nasty]: 1,
    }));
    const workers = [1, 2].map(() => ({ name: nasty, worker_uuid: "1", ip: nasty, labels: { [nasty]: nasty } }));
    const project = await testProject({ "x.json": JSON.stringify([...models, ...workers]) });
    await importGpustack(project.workplace, [join(project.workplace.root, "x.json")], { out });
    const stack = completed(read(project, out));
    const { deployments } = stackFile.parse(stack);
    expect(Object.keys(deployments)).toEqual(["ax-y-z-31m", "ax-y-z-31m-2", "x-y-z-31m"]);
    expect(Object.values(deployments).map(({ env, parameters }) => [env.A, parameters])).toEqual(
      models.map(() => [nasty, [nasty.trim(), "--x", nasty.trim()]]),
    );
    expect(project.printed.join("")).not.toMatch(/[\u0007\u001b]/);
  });
});

describe("files that are there", () => {
  it.each([out, "backends/vllm.yaml"])("stay as they are, and nothing else is written: %s", async (file) => {
    const project = await testProject({ [file]: "mine\n" });
    const error = await rejectionOf(importGpustack(project.workplace, newExport.map(exportPath), { out }));
    expect([error.code, error.parts.what]).toEqual(["usage", `there is already ${file}`]);
    expect(read(project, file)).toBe("mine\n");
    const others = [out, "backends/vllm.yaml", "backends/my-backend-custom.yaml"].filter((other) => other !== file);
    expect(others.filter((other) => existsSync(join(project.workplace.root, other)))).toEqual([]);
  });

  it("are replaced with --force", async () => {
    const project = await testProject({ [out]: "mine\n" });
    await importGpustack(project.workplace, newExport.map(exportPath), { out, force: true });
    expect(read(project, out)).toContain("schemaVersion: 1\n");
  });
});

it("refuses a file that is not JSON, and one that is not there", async () => {
  const { workplace } = await testProject({ "x.json": "backend_name: x\n" });
  const file = join(workplace.root, "x.json");
  expect((await rejectionOf(importGpustack(workplace, [file], { out }))).parts).toMatchObject({
    where: file,
    what: "the file is not JSON",
  });
  expect((await rejectionOf(importGpustack(workplace, [`${file}.gz`], { out }))).code).toBe("file-not-found");
});
