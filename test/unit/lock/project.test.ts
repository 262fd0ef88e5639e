import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { createContent } from "../../../src/install/content.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { shown } from "../../../src/lib/shown.js";
import { readCatalogue, readProject } from "../../../src/lock/project.js";
import { repository } from "../support/repository.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { thrownBy } from "../support/thrown.js";

const stack = "schemaVersion: 1\nhosts: { local: { connection: local } }\n";
const backend = (name: string, version: string, healthPath = "/health") => `schemaVersion: 1
name: ${name}
defaultVersion: "${version}"
healthPath: ${healthPath}
runCommand: serve --port {{port}}
versions:
  "${version}":
    install: { pipx: { package: engine, requirements: ${name}/${version}.txt, launcher: ${name}/launcher.py } }
`;

/** A folder with files. */
async function folderOf(files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  return folder;
}

describe("readProject", () => {
  it("reads a stack file by its path from the project, with the backends of Berth and of the project", async () => {
    const root = await folderOf({ "stacks/dev.yaml": stack, "backends/own.yaml": backend("own", "1") });
    const project = readProject(root, "stacks/dev.yaml", repository);
    expect([project.root, project.stackPath]).toEqual([root, join(root, "stacks/dev.yaml")]);
    expect(Object.keys(project.stack.hosts)).toEqual(["local"]);
    expect(Object.keys(project.catalogue.backends)).toEqual(["own"]);
    expect(project.catalogue.unread).toEqual(expect.arrayContaining(["llama-cpp", "vllm", "ollama"]));
  });

  it("reads those of Berth's backends that a deployment asks for, or the project changes", async () => {
    const model = `{ source: file, path: /m, sha256: ${"a".repeat(64)} }`;
    const root = await folderOf({
      "stacks/dev.yaml": `${stack}deployments: { chat: { backend: vllm, model: ${model} } }\n`,
      "backends/mine.yaml": "schemaVersion: 1\nname: llama-cpp\nenv: { LEVEL: own }\n",
    });
    const { catalogue } = readProject(root, "stacks/dev.yaml", repository);
    expect(Object.keys(catalogue.backends).sort()).toEqual(["llama-cpp", "vllm"]);
    expect(catalogue.backends["llama-cpp"]?.env).toEqual({ LEVEL: "own" });
    expect(catalogue.unread).not.toContain("vllm");
  });

  it("tells a missing stack file, and how one is named", async () => {
    const root = await temporaryFolder();
    const error = thrownBy(() => readProject(root, "stacks/dev.yaml", repository));
    expect([error.code, error.message]).toEqual([
      "file-not-found",
      [
        "stacks/dev.yaml: there is no such file",
        "  to do: a stack's file is stacks/NAME.yaml; `pulumi config set berth:stackFile FILE` names another",
      ].join("\n"),
    ]);
  });

  it("tells where a stack or backend file is wrong by its path from the project", async () => {
    const root = await folderOf({
      "dev.yaml": `${stack}x: 1\n`,
      "ok.yaml": stack,
      "backends/a.yaml": `${backend("a", "1")}x: 1\n`,
    });
    expect(thrownBy(() => readProject(root, "dev.yaml", repository)).message).toMatch(
      /^dev\.yaml:3:1: unknown key "x"/,
    );
    expect(thrownBy(() => readProject(root, "ok.yaml", repository)).message).toMatch(
      /^backends\/a\.yaml:9:1: unknown key "x"/,
    );
  });

  it("refuses a file of 10 MB without reading it", async () => {
    const root = await folderOf({ "dev.yaml": "#".repeat(10_000_000) });
    const error = thrownBy(() => readProject(root, "dev.yaml", repository));
    expect([error.code, error.message]).toEqual([
      "file-too-large",
      "dev.yaml:1:1: the file is too large\n  got: 10000000 bytes\n  expected: at most 1000000 bytes",
    ]);
  });
});

describe("readCatalogue", () => {
  it("prefers the project's backends and files to the built-in ones, and keeps the versions of both", async () => {
    const built = await folderOf({
      "backends/engine.yaml": backend("engine", "1"),
      "backends/engine/1.txt": "built-in 1",
      "backends/engine/launcher.py": "built-in launcher",
    });
    const root = await folderOf({
      "backends/engine.yaml": backend("engine", "2", "/up"),
      "backends/engine/2.txt": "own 2",
      "backends/engine/launcher.py": "own launcher",
    });
    const { backends, files } = readCatalogue(root, built);
    expect(backends.engine).toMatchObject({ defaultVersion: "2", healthPath: "/up" });
    expect(Object.keys(backends.engine?.versions ?? {}).sort()).toEqual(["1", "2"]);
    expect(files).toEqual({
      "engine/1.txt": sha256("built-in 1"),
      "engine/2.txt": sha256("own 2"),
      "engine/launcher.py": sha256("own launcher"),
    });
  });

  it.each(["r.txt", "sub/r.txt", "sub/deep/er/r.txt"])(
    "finds %s beside a backend file, also in the community folder, and so does who installs it",
    async (file) => {
      const text = (name: string) => backend(name, "1").replace(`${name}/1.txt`, `${name}-${file}`);
      const root = await folderOf({
        "backends/own.yaml": text("own"),
        "backends/community/theirs.yaml": text("theirs"),
        [`backends/own-${file}`]: "of own",
        [`backends/community/theirs-${file}`]: "of theirs",
        "backends/other/unnamed.txt": "of nobody",
      });
      const { files } = readCatalogue(root, join(root, "none"));
      expect(files).toEqual({ [`own-${file}`]: sha256("of own"), [`theirs-${file}`]: sha256("of theirs") });
      const content = createContent(join(root, "none"), root);
      for (const [named, digest] of Object.entries(files)) {
        expect(sha256(await content.backendFile({ file: named, sha256: digest }))).toBe(digest);
      }
    },
  );

  it("reads Berth's own folder once when that is the project", () => {
    expect(readCatalogue(repository, repository)).toEqual(
      readCatalogue(join(repository, "no-such-folder"), repository),
    );
  });

  it("is empty where there are no backends, and passes over what is none", async () => {
    const root = await folderOf({ "backends/README.md": "hello" });
    // An editor's lock on a file that it has open.
    await symlink("somebody@host.1234:1700000000", join(root, "backends", ".#engine.yaml"));
    expect(readCatalogue(root, root)).toEqual({ backends: {}, written: {}, sources: {}, files: {}, unread: [] });
    expect(readCatalogue(join(root, "none"), join(root, "none"))).toEqual({
      backends: {},
      written: {},
      sources: {},
      files: {},
      unread: [],
    });
  });
});

describe("shown", () => {
  it.each([
    ["/p/stacks/dev.yaml", "stacks/dev.yaml"],
    ["/p/..dev.yaml", "..dev.yaml"],
    ["/other/dev.yaml", "/other/dev.yaml"],
    ["/", "/"],
    ["/p", "/p"],
  ])("shows %s in the project /p as %s", (path, text) => {
    expect(shown("/p", path)).toBe(text);
  });
});
