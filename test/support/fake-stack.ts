import { sha256 } from "../../src/lib/canonical.js";
import { serveFiles, type FileServer } from "./file-server.js";

/** Texts that tell the fake engine how to behave (`fake-backend/fake/launcher.py`). */
export const models = {
  good: "a good model\n",
  other: "another good model\n",
  broken: "fail: load\n",
  neverHealthy: "fail: never-healthy\n",
  noAnswer: "fail: no-answer\n",
  crashing: "fail: crash\n",
  /** Too large for a small disk. */
  huge: "x".repeat(200_000_000),
} as const;

export type ModelName = keyof typeof models;

/** A web server that has the fake engine's models; on any port when none is given. */
export function serveModels(port = 0): Promise<FileServer> {
  return serveFiles(Object.fromEntries(Object.entries(models).map(([name, text]) => [`/${name}.txt`, text])), port);
}

export interface FakeDeployment {
  model?: ModelName;
  version?: string;
  /** Further fields of `update`. */
  update?: string;
  /** Further lines of the deployment, as `key: value`. */
  fields?: readonly string[];
}

/** A stack file with deployments of the fake engine, on hosts with these data directories. Tests look into supervisord's files, so it is what they ask for. */
export function fakeStack(
  server: FileServer,
  portRange: readonly [number, number],
  deployments: Record<string, FakeDeployment>,
  runtime: "supervisord" | "chosen by the lock" = "supervisord",
  hosts: Readonly<Record<string, string>> = { local: "host" },
): string {
  const entries = Object.entries(deployments).map(([name, { model = "good", version = "1", update, fields = [] }]) => {
    const lines = [
      "backend: fake",
      `backendVersion: "${version}"`,
      `model: { source: url, url: "${server.url(`/${model}.txt`)}", file: model.txt, sha256: ${sha256(models[model])} }`,
      `update: { ${["minHealthyTime: 0s, healthyDeadline: 20s, stopTimeout: 2s", ...(update === undefined ? [] : [update])].join(", ")} }`,
      ...fields,
    ];
    return [`  ${name}:`, ...lines.map((line) => `    ${line}`)].join("\n");
  });
  const asked = runtime === "supervisord" ? ", runtime: supervisord" : "";
  return [
    "schemaVersion: 1",
    "hosts:",
    ...Object.entries(hosts).map(
      ([name, folder]) =>
        `  ${name}: { connection: local, dataDir: ${folder}, portRange: [${portRange.join(", ")}]${asked} }`,
    ),
    ...(entries.length === 0 ? [] : ["deployments:", ...entries]),
    "",
  ].join("\n");
}
