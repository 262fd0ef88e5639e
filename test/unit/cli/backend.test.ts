import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { importBackend } from "../../../src/cli/backend-import.js";
import { lintBackends } from "../../../src/cli/backend-lint.js";
import { listBackends, showBackend } from "../../../src/cli/backend-show.js";
import { readBackendDocument } from "../../../src/lock/backend-document.js";
import { serve } from "../support/http-servers.js";
import { referenceBackend, referenceText } from "../support/reference-files.js";
import { rejectionOf, thrownBy } from "../support/thrown.js";
import { testProject, type TestProject } from "../support/workplaces.js";

const engine = `# Ours
schemaVersion: 1
name: engine
defaultVersion: "1"
runCommand: serve {{model_path}} --port {{port}}
versions:
  "1":
    install: { manual: {} }
  v2.0:
    install: { image: { reference: "team/engine:2" } }
    entrypoint: engine run
`;
const inProject = { "backends/engine.yaml": engine, "backends/sglang-custom.yaml": referenceText("sglang-custom") };

const json = ({ printed }: TestProject): unknown => JSON.parse(printed.join("\n"));

describe("berth backend list", () => {
  it("lists built-in and project backends, in both formats, with what is not pinned", async () => {
    const project = await testProject(inProject);
    listBackends(project.workplace, { json: true });
    const rows = json(project) as { name: string }[];
    expect(rows.find(({ name }) => name === "llama-cpp")).toMatchObject({ source: "built-in" });
    expect(rows.filter(({ name }) => ["engine", "sglang-custom"].includes(name))).toEqual([
      { name: "engine", source: "project", defaultVersion: "1", versions: 2, unpinned: 1 },
      { name: "sglang-custom", source: "project", defaultVersion: "0.5.10", versions: 1, unpinned: 1 },
    ]);
  });

  it("prints a table for people", async () => {
    const { workplace, printed } = await testProject(inProject);
    listBackends(workplace, {});
    expect(printed[0]?.trim().split(/ {2,}/)).toEqual(["BACKEND", "SOURCE", "DEFAULT VERSION", "VERSIONS", "UNPINNED"]);
    expect(printed.map((line) => line.trim().split(/ {2,}/))).toContainEqual(["engine", "project", "1", "2", "1"]);
  });

  it("says which of a folder is of the community", async () => {
    const project = await testProject({ "backends/community/sglang.yaml": referenceText("sglang-custom") });
    listBackends(project.workplace, { json: true });
    expect(json(project)).toContainEqual(expect.objectContaining({ name: "sglang-custom", source: "community" }));
  });
});

describe("berth backend show", () => {
  it("shows every version with its installs and the command of an example", async () => {
    const { workplace, printed } = await testProject(inProject);
    showBackend(workplace, "engine", {});
    expect(printed).toEqual([
      "engine (project)",
      "default version 1",
      "",
      "1",
      "  manual     engine_1  (any accelerator)  as it is found",
      "  health     GET /v1/models",
      '  process    ["engine_1","serve","/models/example","--port","8000"]',
      "",
      "v2.0",
      "  image      team/engine:2  (linux; x64; any accelerator)  unpinned",
      "  health     GET /v1/models",
      '  container  entrypoint ["engine","run"]',
      '             arguments  ["serve","/models/example","--port","8000"]',
    ]);
  });

  it.each([{}, { json: true }])("shows no secret, as %j", async (options) => {
    const text = engine
      .replace("name: engine", "name: engine\nenv: { HF_TOKEN: hunter2 }")
      .replace("{{port}}", "{{port}} --api-key hunter3 --token {{HF_TOKEN}}");
    const project = await testProject({ "backends/engine.yaml": text });
    showBackend(project.workplace, "engine", options);
    expect(project.printed.join("\n")).toContain("[secret]");
    expect(project.printed.join("\n")).not.toMatch(/hunter/);
  });

  it.each(["2.0", "v2.0"])("shows one version, which %s names too", async (version) => {
    const project = await testProject(inProject);
    showBackend(project.workplace, "engine", { version, json: true });
    expect(json(project)).toMatchObject({
      name: "engine",
      source: "project",
      versions: [{ version: "v2.0", commands: [{ form: "container", command: { entrypoint: ["engine", "run"] } }] }],
    });
  });

  it("tells which names there are", async () => {
    const { workplace } = await testProject(inProject);
    const unknown = thrownBy(() => showBackend(workplace, "constructor", {}));
    expect([unknown.code, unknown.parts.expected]).toEqual(["backend-unknown", expect.stringContaining("engine")]);
    expect(thrownBy(() => showBackend(workplace, "engine", { version: "3" })).parts.expected).toBe("1, v2.0");
  });
});

describe("berth backend lint", () => {
  it("is content with good files", async () => {
    const { workplace, printed, noted } = await testProject(inProject);
    lintBackends(workplace, []);
    expect(printed.map((line) => line.split(":").slice(0, 4).join(":"))).toEqual([
      "backends/engine.yaml:10:23: note",
      "backends/sglang-custom.yaml:7:17: note",
    ]);
    expect(noted).toEqual(["2 backend files, no problems"]);
  });

  it("prints every problem of every file with its place, and fails", async () => {
    const { workplace, printed } = await testProject({
      "backends/a.yaml": `${engine}colour: blue\nshape: round\n`,
      "backends/b.yaml": engine
        .replace("serve {{model_path}}", "serve {{model}} | tee")
        .replace("engine run", '"a ; b"'),
      "backends/c.yaml": referenceText("sglang-custom").replace("{{port}}", "{{ports}}").replace("cuda", "npu2"),
      "backends/d.yaml": referenceText("sglang-custom").replace("{{port}}", "{{ports}}"),
      "backends/e.yaml": "a: [\n",
    });
    const error = thrownBy(() => lintBackends(workplace, []));
    expect(error.code).toBe("file-invalid");
    const problems = printed.filter((line) => line.startsWith("backends/") && !line.includes(": note: "));
    expect(problems.map((line) => line.split(/[;\n]/)[0])).toEqual([
      'backends/a.yaml:12:1: unknown key "colour"',
      'backends/a.yaml:13:1: unknown key "shape"',
      "backends/b.yaml:5:13: the command holds the shell operator | at column 17 (of version 1, v2.0)",
      "backends/b.yaml:11:17: the command holds the shell operator ",
      "backends/c.yaml:5:1: the backend sglang-custom has no version that can be taken",
      "backends/d.yaml:10:18: the command names an unknown placeholder {{ports}}",
      expect.stringMatching(/^backends\/e\.yaml:2:1: /),
    ]);
    expect(error.parts.what).toBe("problems in backend files: 7");
  });

  it.each([
    ['buildNumber: "("', /^backends\/a\.yaml:12:14: "buildNumber": expected a regular expression/],
    ['images: [{ repository: e, entrypoint: e, versions: ">==1" }]', /^backends\/a\.yaml:12:52: "images\.0\.versions"/],
  ])("tells where %s is, and goes on to the next file", async (line, problem) => {
    const { workplace, printed } = await testProject({
      "backends/a.yaml": `${engine}${line}\n`,
      "backends/b.yaml": "a: 1\n",
    });
    expect(thrownBy(() => lintBackends(workplace, [])).code).toBe("file-invalid");
    expect(printed[0]).toMatch(problem);
    expect(printed.some((text) => text.startsWith("backends/b.yaml:"))).toBe(true);
  });

  it("misses the key of a signer, where it is named", async () => {
    const image = "image: { reference: a/b:1, signature: { key: keys/a.pub } }";
    const { workplace, printed } = await testProject({ "backends/a.yaml": engine.replace("manual: {}", image) });
    expect(thrownBy(() => lintBackends(workplace, [])).code).toBe("file-invalid");
    expect(printed.join("\n")).toMatch(/backends\/a.yaml:8:\d+: there is no file keys\/a.pub beside this one/);
  });

  it("misses a file that a version names and nobody has", async () => {
    const pipx = "pipx: { package: engine, requirements: deep/er/r.txt, launcher: l.py }";
    const files = { "backends/a.yaml": engine.replace("manual: {}", pipx), "backends/l.py": "" };
    const { workplace, printed } = await testProject(files);
    expect(thrownBy(() => lintBackends(workplace, [])).code).toBe("file-invalid");
    expect(printed.filter((line) => !line.includes(" note: "))).toEqual([
      "backends/a.yaml:8:55: there is no file deep/er/r.txt beside this one",
    ]);
  });

  it("sees what a project's file does to the versions below it, and keeps what it does not say", async () => {
    const overlay = (text: string) => `schemaVersion: 1\nname: vox-box\n${text}\n`;
    const good = await testProject({ "backends/vox-box.yaml": overlay("env: { FOO: bar }") });
    lintBackends(good.workplace, []);
    expect(good.noted).toEqual(["1 backend files, no problems"]);
    const bad = await testProject({ "backends/vox-box.yaml": overlay("runCommand: start {{GONE}}") });
    expect(thrownBy(() => lintBackends(bad.workplace, [])).code).toBe("file-invalid");
    expect(bad.printed).toEqual([
      expect.stringContaining("vox-box.yaml:3:13: the command names an unknown placeholder {{GONE}}"),
    ]);
  });

  it("counts versions as the lock does, by build number", async () => {
    const text = engine
      .replace(
        "versions:",
        `buildNumber: 'b(\\d+)$'\nimages: [{ repository: team/engine, entrypoint: e, versions: "<b100", runCommand: "{{GONE}}" }]\nversions:`,
      )
      .replace("v2.0", "b99")
      .replace("    entrypoint: engine run\n", "");
    const { workplace } = await testProject({ "backends/engine.yaml": text });
    expect(thrownBy(() => lintBackends(workplace, [])).code).toBe("file-invalid");
  });

  it("looks at the files that are given, and no others", async () => {
    const { workplace, printed } = await testProject({ "backends/bad.yaml": "a: 1\n", "x/good.yaml": engine });
    lintBackends(workplace, [join(workplace.root, "x", "good.yaml")]);
    expect(printed).toHaveLength(1);
    expect(thrownBy(() => lintBackends(workplace, [join(workplace.root, "x", "none.yaml")])).code).toBe(
      "file-not-found",
    );
  });
});

describe("a file whose texts move a terminal's cursor", () => {
  const move = "\u001b[2J\u009b1A";
  const escaped = '"\\e[2J\\x9b1A';
  const own = engine.replace("# Ours\n", `description: ${escaped}"\n`);
  const reference = referenceText("sglang-custom").replace(/^backend_name/m, `${escaped}\\nx": 1\nbackend_name`);
  const files = { "backends/engine.yaml": own, "from.yaml": reference, "bad/a.yaml": `${engine}${escaped}\\nb": 1\n` };

  it.each<[string, (project: TestProject) => unknown]>([
    ["show", ({ workplace }) => showBackend(workplace, "engine", {})],
    ["list", ({ workplace }) => listBackends(workplace, {})],
    ["import", ({ workplace }) => importBackend(workplace, join(workplace.root, "from.yaml"), {})],
    ["lint", ({ workplace }) => thrownBy(() => lintBackends(workplace, [join(workplace.root, "bad/a.yaml")]))],
    ["lint", ({ workplace }) => lintBackends(workplace, [join(workplace.root, "from.yaml")])],
  ])("does not move it by %s", async (_, action) => {
    const project = await testProject(files);
    await action(project);
    const lines = [...project.printed, ...project.noted];
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join("")).not.toMatch(/\p{Cc}/u);
  });

  it("does not by an error either, and makes no lines of its own", () => {
    const error = thrownBy(() => readBackendDocument(files["bad/a.yaml"], "a.yaml"));
    expect(error.message).toMatch(/^a\.yaml:12:1: unknown key "\?\[2J\?1A\?b"; expected one of [\w, ]+$/);
    expect(error.message).not.toContain(move);
  });
});

describe("berth backend import", () => {
  const source = { "from/sglang.yaml": referenceText("sglang-custom"), "from/engine.yaml": engine };
  const fileOf = ({ workplace }: TestProject, name: string) => join(workplace.root, "backends", `${name}.yaml`);

  it("writes GPUStack's format in Berth's own, and says where it is from", async () => {
    const project = await testProject(source);
    await importBackend(project.workplace, join(project.workplace.root, "from/sglang.yaml"), {});
    const text = readFileSync(fileOf(project, "sglang-custom"), "utf8");
    expect(text).toMatch(/^# Imported by `berth backend import` from sglang\.yaml, which is in GPUStack's format\.\n/);
    const read = readBackendDocument(text, "x.yaml");
    expect([read.format, read.value]).toEqual(["berth", referenceBackend("sglang-custom").value]);
    expect(project.printed).toEqual(["backends/sglang-custom.yaml: sglang-custom, version 0.5.10"]);
  });

  it("keeps Berth's own format as it is written, under another name if one is given", async () => {
    const project = await testProject(source);
    await importBackend(project.workplace, join(project.workplace.root, "from/engine.yaml"), { name: "other" });
    const text = readFileSync(fileOf(project, "other"), "utf8");
    expect(text).toContain("# Ours\n");
    expect(text).toContain('    install: { image: { reference: "team/engine:2" } }\n');
    expect(readBackendDocument(text, "x.yaml").value).toEqual({
      ...readBackendDocument(engine, "x.yaml").value,
      name: "other",
    });
  });

  it.each([
    [
      "GPUStack's",
      referenceText("sglang-custom")
        .replace("{{port}}", "{{port}} --api-key hunter2")
        .replace(/^version_configs/m, "default_env: { HF_TOKEN: hunter2 }\nversion_configs"),
    ],
    [
      "Berth's own",
      `# hunter2\n${engine.replace("name: engine", "name: sglang-custom\nenv: { HF_TOKEN: hunter2 }").replace("{{port}}", "{{port}} --api-key hunter2")}`,
    ],
  ])("leaves secrets out of %s format, and says so", async (_, text) => {
    const project = await testProject({ "from/x.yaml": text });
    await importBackend(project.workplace, join(project.workplace.root, "from/x.yaml"), {});
    const written = readFileSync(fileOf(project, "sglang-custom"), "utf8");
    expect([written, ...project.printed, ...project.noted].join("\n")).not.toContain("hunter2");
    expect(written).toContain("--port {{port}}");
    expect(project.noted.filter((note) => note.includes("is left out, because its value is likely a secret"))).toEqual([
      expect.stringContaining("note: HF_TOKEN "),
      expect.stringMatching(/^note: (?:version 0\.5\.10: )?--api-key of runCommand /),
    ]);
  });

  it("takes an address, and writes where it is from without what may be a key", async () => {
    const project = await testProject();
    const address = await serve((_, response) => response.end(referenceText("sglang-custom")));
    await importBackend(project.workplace, `${address}/a/sglang.yaml?token=hunter2`, {});
    const text = readFileSync(fileOf(project, "sglang-custom"), "utf8");
    expect(text).toContain(`from ${address}/a/sglang.yaml, which`);
    expect([text, ...project.printed, ...project.noted].join("\n")).not.toContain("hunter2");
  });

  it("replaces nothing unless it is told to", async () => {
    const project = await testProject({ ...source, "backends/sglang-custom.yaml": "mine\n" });
    const from = join(project.workplace.root, "from/sglang.yaml");
    const error = await rejectionOf(importBackend(project.workplace, from, {}));
    expect([error.code, error.parts.what]).toEqual(["usage", "there is already backends/sglang-custom.yaml"]);
    expect(readFileSync(fileOf(project, "sglang-custom"), "utf8")).toBe("mine\n");
    await importBackend(project.workplace, from, { force: true });
    expect(readFileSync(fileOf(project, "sglang-custom"), "utf8")).toContain("name: sglang-custom\n");
  });

  it.each(["../x", "Upper", "", "a/b"])("refuses the name %j and writes nothing", async (name) => {
    const project = await testProject(source);
    const from = join(project.workplace.root, "from/sglang.yaml");
    expect((await rejectionOf(importBackend(project.workplace, from, { name }))).code).toBe("usage");
    expect(existsSync(join(project.workplace.root, "backends"))).toBe(false);
  });

  it("writes nothing of a file that is wrong", async () => {
    const project = await testProject({ "from/bad.yaml": "backend_name: e\ndefault_env: { A: 1 }\n" });
    const error = await rejectionOf(
      importBackend(project.workplace, join(project.workplace.root, "from/bad.yaml"), {}),
    );
    expect(error.message).toContain('bad.yaml:2:19: "default_env.A": expected a string');
    expect(existsSync(join(project.workplace.root, "backends"))).toBe(false);
  });

  it("writes nothing that is no backend with those below it", async () => {
    const project = await testProject({
      "x.yaml": "schemaVersion: 1\nname: foo\n",
      "y.yaml": "schemaVersion: 1\nname: vllm\n",
    });
    const { root } = project.workplace;
    const error = await rejectionOf(importBackend(project.workplace, join(root, "x.yaml"), {}));
    expect([error.code, error.message]).toEqual([
      "file-invalid",
      'backends/foo.yaml:3:1: "versions" is missing, and no other file of this backend has it',
    ]);
    expect(existsSync(join(root, "backends"))).toBe(false);
    await importBackend(project.workplace, join(root, "y.yaml"), {});
    listBackends(project.workplace, {});
  });

  it("tells of a backend that lies over Berth's own, and of files to copy too", async () => {
    const pipx = "pipx: { package: engine, requirements: engine/1.txt }";
    const project = await testProject({ "x.yaml": engine.replace("manual: {}", pipx) });
    await importBackend(project.workplace, join(project.workplace.root, "x.yaml"), { name: "llama-cpp" });
    expect(project.noted).toEqual([
      "note: Berth has a backend llama-cpp too; this file lies over it",
      "note: copy engine/1.txt to backends/engine/1.txt too",
    ]);
  });
});
