/** Locks of deployments that are installed in every way, for tests of what a lock needs. */
import { sha256 } from "../../../src/lib/canonical.js";
import { lockFile, type LockedDeployment, type LockFile } from "../../../src/schema/lock.js";
import type { LockedModel } from "../../../src/schema/model.js";
import { bundleOf } from "./bundles.js";
import { facts } from "./problems.js";

export const hex = (letter: string): string => letter.repeat(64);

export const models = {
  url: { from: { source: "url", url: "https://files.example.net/m.gguf?x=1" }, file: "m.gguf", sha256: hex("1") },
  hub: {
    from: {
      source: "huggingface",
      repo: "team/model",
      revision: "main",
      commit: "c".repeat(40),
      files: [
        { path: "config.json", sizeBytes: 10, sha256: hex("2") },
        { path: "model.safetensors", sizeBytes: 990, sha256: hex("3") },
      ],
    },
    file: ".",
    sha256: hex("4"),
  },
  onHost: { from: { source: "file", path: "/srv/m.gguf" }, file: "m.gguf", sha256: hex("5") },
} satisfies Record<string, LockedModel>;

export const installs = {
  image: {
    method: "image",
    reference: "team/engine:1.0",
    digest: `sha256:${hex("a")}`,
    platforms: {
      "linux/amd64": { digest: `sha256:${hex("b")}`, id: `sha256:${hex("c")}`, sizeBytes: 5_000_000_000 },
      "linux/arm64": { digest: `sha256:${hex("d")}`, id: `sha256:${hex("e")}` },
    },
  },
  binary: {
    method: "binary",
    artifacts: [
      {
        os: "linux",
        arch: "x64",
        url: "https://example.net/r/engine-x64.tar.gz",
        sha256: hex("6"),
        sizeBytes: 7,
        unpackedBytes: 9,
      },
      {
        os: "linux",
        arch: "arm64",
        url: "https://example.net/r/engine-arm64.tar.gz",
        sha256: hex("7"),
        unpackedBytes: 9,
      },
    ],
  },
  pipx: {
    method: "pipx",
    package: "engine",
    requirements: { file: "requirements/engine.txt", sha256: hex("8") },
    launcher: { file: "launchers/engine.py", sha256: hex("9") },
  },
  manual: { method: "manual", sha256: hex("f") },
} satisfies Record<string, LockedDeployment["install"]>;

type Deployed = Pick<LockedDeployment, "install" | "model"> & { readonly hosts: readonly string[] };

/** Hosts `one` (x64) and `two` (arm64). Deployments are named by their keys, as are their backends. */
export function needyLock(
  deployed: Readonly<Record<string, Deployed>>,
  placement: Partial<Pick<LockFile["placement"], "registries" | "downloadBaseUrl" | "hubEndpoint" | "indexUrl">> = {},
): LockFile {
  const release = Object.entries(deployed).map(([name, { install, model }]) => {
    const runCommand = "serve --port {{port}}";
    return [name, bundleOf("1.0", { backend: name, install, model, runCommand })] as const;
  });
  const instances = Object.entries(deployed).flatMap(([name, { hosts }]) =>
    hosts.map((host, index) => [`${name}-${index}`, instance(name, host, 8000 + index)] as const),
  );
  const host = (arch: "x64" | "arm64") => ({
    ...{ connection: "local", dataDir: "host", labels: {} },
    ...{ facts: { ...facts, arch }, usage: { listeningPorts: [] } },
  });
  return lockFile.parse({
    ...{ lockVersion: 1, id: sha256("lock"), inputs: { stack: sha256("s"), backends: sha256("b") } },
    release: Object.fromEntries(release),
    placement: {
      hosts: { one: host("x64"), two: host("arm64") },
      instances: Object.fromEntries(instances),
      ...placement,
    },
  });
}

function instance(deployment: string, host: string, port: number) {
  return {
    ...{ deployment, host, devices: [], runtime: "docker", port, bindAddress: "127.0.0.1", secretEnv: {} },
    ...{ minHealthySeconds: 0, healthyDeadlineSeconds: 20, stopSeconds: 2 },
  };
}
