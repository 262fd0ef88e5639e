import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";

import { coerce, compare } from "semver";
import { describe, expect, it } from "vitest";

import { renderCommand } from "../../../src/catalog/command.js";
import { splitWords } from "../../../src/catalog/words.js";
import { readRunners } from "../../../src/lock/runner-files.js";
import { runnerRepository } from "../../../src/schema/runner.js";
import type { BackendFile, BackendVersionEntry } from "../../../src/schema/backend.js";
import { backendsFolder, readBackendFiles, readBackendText } from "../../support/catalogue-files.js";
import { parseRequirements } from "../../support/requirements.js";
import { repository } from "../../support/toolchain.js";

const files = readBackendFiles();
const versions = files.flatMap(({ file, backend }) =>
  Object.entries(backend.versions).map(([version, entry]) => ({ file, backend, version, entry })),
);
const binaries = versions.flatMap(({ entry, ...rest }) =>
  (entry.install.binary ?? []).map((artifact) => ({ ...rest, artifact, url: artifact.url })),
);
const images = versions.flatMap(({ entry, ...rest }) =>
  entry.install.image === undefined ? [] : [{ ...rest, entry, image: entry.install.image }],
);
const locks = versions.flatMap(({ entry: { install }, ...rest }) =>
  install.pipx?.requirements === undefined
    ? []
    : [{ ...rest, pipx: install.pipx, requirements: install.pipx.requirements }],
);

const values = {
  model_path: "/models/a b/it's;$(x).gguf",
  mmproj_path: "",
  model_name: "my model",
  port: "40123",
  worker_ip: "10.0.0.7",
  gpu_count: "2",
  gpu_ids: "0,1",
};

/** The arguments of a version as a process, or in its image behind the image's entrypoint. */
function render(
  backend: BackendFile,
  version: string,
  entry: BackendVersionEntry,
  method: "process" | "image",
): string[] {
  const environment = { ...backend.env, ...entry.env };
  const rule = method === "image" ? ruleOf(backend, version, entry) : undefined;
  const own = entry.runCommand ?? rule?.runCommand ?? backend.runCommand;
  const start =
    method === "image"
      ? renderCommand(entry.entrypoint ?? rule?.entrypoint ?? "", { builtIn: values, environment })
      : [];
  return [...start, ...renderCommand(own, { builtIn: values, environment })];
}

/** The rule of an image's repository that holds for a version; the bounds that these files use, and no others. */
function ruleOf(backend: BackendFile, version: string, entry: BackendVersionEntry) {
  const { image, runnerImage } = entry.install;
  if (image === undefined && runnerImage !== undefined)
    return backend.images.find((rule) => rule.repository === runnerRepository);
  const repository = image?.reference.replace(/^[^/]*[.:][^/]*\//, "").replace(/:[^:]*$/, "");
  return backend.images.find((rule) => {
    if (rule.repository !== repository) return false;
    const [, operator, bound] = /^(>=|<)(.+)$/.exec(rule.versions) ?? [];
    if (operator === undefined) return rule.versions === "*";
    const order = compare(coerce(version) ?? "", coerce(bound) ?? "");
    return operator === "<" ? order < 0 : order >= 0;
  });
}

describe("the backend files that come with Berth", () => {
  it.each(files)("$file has the name of its file and a default version", ({ file, backend }) => {
    expect(basename(file)).toBe(`${backend.name}.yaml`);
    expect(backend.defaultVersion).toBeDefined();
    expect(backend.description).not.toBe("");
    expect(Object.keys(backend.versions).length).toBeGreaterThan(1);
  });

  it.each(versions)(
    "$file: $version can be installed some way, and its command renders for each",
    ({ backend, version, entry }) => {
      const { binary, pipx, image, manual } = entry.install;
      expect([binary, pipx, image, manual].filter((one) => one !== undefined)).not.toEqual([]);
      const asProcess = binary !== undefined || pipx !== undefined || manual !== undefined;
      for (const method of [
        ...(asProcess ? ["process" as const] : []),
        ...(image === undefined ? [] : ["image" as const]),
      ]) {
        const words = render(backend, version, entry, method);
        for (const value of [values.model_path, values.port, values.worker_ip]) expect(words).toContain(value);
        expect(words.join(" ")).not.toMatch(/\{\{|undefined/);
      }
    },
  );

  it.each(files)("$file gives no flag twice: what its command gives is a flag of its own", ({ backend }) => {
    const { flags, ownedFlags } = backend;
    const known = [...ownedFlags, ...Object.values(flags).flat()];
    expect(new Set(known).size).toBe(known.length);
    expect(known).not.toContain(backend.contextLengthFlag);
    const given = splitWords(backend.runCommand).flatMap(([first]) =>
      typeof first === "string" && /^-{1,2}[a-z]/.test(first) ? [first] : [],
    );
    expect(given.filter((flag) => !known.includes(flag))).toEqual([]);
  });

  it.each(["llama-cpp", "llama-box"])("%s takes no flag that loads another model, or holds a key", (name) => {
    const backend = files.find((one) => one.backend.name === name)?.backend;
    const others = ["-hf", "-hfr", "--hf-repo", "--hf-file", "-mu", "--model-url", "--hf-token", "-hft", "--model"];
    expect(backend?.ownedFlags).toEqual(expect.arrayContaining(others));
    expect([backend?.contextLengthFlag, backend?.contextLengthAliases]).toEqual(["--ctx-size", ["-c"]]);
  });

  it.each(files)("$file says for each image how it is started", ({ backend }) => {
    for (const { entry, version, image } of images.filter((one) => one.backend === backend)) {
      expect(entry.entrypoint ?? ruleOf(backend, version, entry)?.entrypoint, image.reference).toBeDefined();
    }
  });

  it.each(images)("$file: the image of $version is the one of that version", ({ version, image }) => {
    const tag = image.reference.split(":").at(-1) ?? "";
    expect(tag).toContain(version.replace(/^v/, ""));
    expect(tag).not.toMatch(/latest|nightly|-dev$/);
    expect(image.acceleratorTypes).toBeDefined();
  });

  it.each(binaries)("$file: $version has an archive of that version: $url", ({ version, artifact }) => {
    const { url, executable, os, arch } = artifact;
    const file = basename(new URL(url).pathname);
    expect(url).toMatch(/^https:\/\/github\.com\/[\w.-]+\/[\w.-]+\/releases\/download\/[\w.-]+\/[\w.-]+$/);
    expect(url).toContain(`/${version}/`);
    expect(file).toMatch(/\.(?:tar\.gz|zip)$/);
    expect(executable).toMatch(os === "windows" ? /\.exe$/ : /^[^.]+$/);
    expect(file).toMatch({ linux: /-(?:ubuntu|linux)-/, darwin: /-(?:macos|darwin)-/, windows: /-win(?:dows)?-/ }[os]);
    expect(file).toMatch({ x64: /[-.](?:x64|amd64)[-.]/, arm64: /[-.]arm64[-.]/ }[arch]);
  });

  it("has one archive for a platform and accelerator type", () => {
    const keys = binaries.flatMap(({ file, version, artifact: { os, arch, acceleratorTypes = ["cpu"] } }) =>
      acceleratorTypes.map((type) => [file, version, os, arch, type].join(" ")),
    );
    expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
  });

  it("never claims that an archive without device support serves devices", () => {
    const claims = binaries.filter(
      ({ artifact }) =>
        /-(?:avx2|neon|cpu|ubuntu-x64|ubuntu-arm64|macos-x64)[-.]/.test(artifact.url) &&
        (artifact.acceleratorTypes ?? ["cpu"]).some((type) => type !== "cpu"),
    );
    expect(claims.map(({ url }) => url)).toEqual([]);
  });

  it.each(locks)("$file: $version is pinned with everything it needs, by hashes", ({ version, pipx, requirements }) => {
    const entries = parseRequirements(readBackendText(requirements));
    expect(entries.filter(({ hashes }) => hashes.length === 0)).toEqual([]);
    const wanted = { name: pipx.package, version: pipx.packageVersion ?? version.replace(/^v/, "") };
    expect(entries.map(({ name, version: one }) => ({ name, version: one }))).toContainEqual(wanted);
    if (pipx.launcher !== undefined) expect(existsSync(join(backendsFolder, pipx.launcher))).toBe(true);
  });

  it("has no file that no version names", () => {
    const folders = readdirSync(backendsFolder, { withFileTypes: true }).filter(
      (entry) => entry.isDirectory() && entry.name !== "community" && entry.name !== "runners",
    );
    const there = folders.flatMap(({ name }) =>
      readdirSync(join(backendsFolder, name)).map((file) => `${name}/${file}`),
    );
    const named = versions.flatMap(({ entry: { install } }) => [install.pipx?.requirements, install.pipx?.launcher]);
    expect(there.filter((file) => !named.includes(file))).toEqual([]);
  });

  it("has as many unpinned things as are counted here", () => {
    const count = (name: string) => {
      const installs = versions.filter(({ backend }) => backend.name === name).map(({ entry }) => entry.install);
      const artifacts = installs.flatMap(({ binary = [] }) => binary);
      const all = {
        binary: artifacts,
        pipx: installs.flatMap((one) => one.pipx ?? []),
        image: installs.flatMap((one) => one.image ?? []),
      };
      const open = [
        all.binary.filter((one) => one.sha256 === undefined).length,
        all.pipx.filter((one) => one.requirements === undefined).length,
        all.image.filter((one) => one.digest === undefined).length,
      ];
      const sizes = [all.binary.length, all.pipx.length, all.image.length];
      return ["binary", "pipx", "image"].flatMap((method, at) =>
        sizes[at] === 0 ? [] : [`${method} ${open[at] ?? 0} of ${sizes[at] ?? 0}`],
      );
    };
    expect(Object.fromEntries(files.map(({ backend }) => [backend.name, count(backend.name).join(", ")]))).toEqual({
      "faster-whisper": "image 3 of 3",
      infinity: "image 3 of 3",
      "llama-box": "binary 30 of 30",
      "llama-cpp": "binary 3 of 16, pipx 0 of 2, image 1 of 2",
      mindie: "",
      ollama: "image 1 of 2",
      sglang: "pipx 3 of 4, image 2 of 4",
      "text-embeddings-inference": "image 2 of 4",
      vllm: "pipx 8 of 9, image 4 of 9",
      "vox-box": "pipx 2 of 2",
    });
  });
});

describe("a version that is a runner image", () => {
  const { images: catalogue } = readRunners(repository, repository);
  const named = versions.flatMap(({ entry, ...rest }) =>
    entry.install.runnerImage === undefined ? [] : [{ ...rest, entry, runnerImage: entry.install.runnerImage }],
  );

  it.each(named)("of $file has images in the catalogue, and a command for them: $version", (each) => {
    const { backend, version, runnerImage } = each;
    const own = catalogue.filter(
      (image) => image.service === runnerImage.service && image.serviceVersion === version && image.published,
    );
    expect(own).not.toEqual([]);
    expect(backend.images.map((rule) => rule.repository)).toContain(runnerRepository);
  });
});

describe("vLLM's own image", () => {
  const vllm = versions.filter(({ backend, entry }) => backend.name === "vllm" && entry.install.image !== undefined);
  const flags = ["--host", "10.0.0.7", "--port", "40123", "--served-model-name", "my model"];

  it.each(vllm)("of $version gets the command that it understands", ({ backend, version, entry }) => {
    const older = ["0.10.2", "0.11.0"].includes(version);
    const start = older
      ? ["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", values.model_path]
      : ["vllm", "serve", values.model_path];
    expect(render(backend, version, entry, "image")).toEqual([...start, ...flags]);
  });

  it.each(vllm)("of $version is started by `vllm serve` where it is a process", ({ backend, version, entry }) => {
    expect(render(backend, version, entry, "process")).toEqual(["serve", values.model_path, ...flags]);
  });
});

describe("commands with a script", () => {
  it.each(["ollama", "faster-whisper"])(
    "of %s take every value as an argument, never as text of the script",
    (name) => {
      for (const { backend, version, entry } of versions.filter((one) => one.backend.name === name)) {
        const [shell, option, script = "", ...others] = render(backend, version, entry, "image");
        expect([shell, option]).toEqual(["/bin/sh", "-c"]);
        for (const value of Object.values(values)) if (value.length > 3) expect(script).not.toContain(value);
        expect(others).toContain(values.model_path);
      }
    },
  );
});
