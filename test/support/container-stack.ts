import { sha256 } from "../../src/lib/canonical.js";
import { models, type ModelName } from "./fake-stack.js";
import type { FileServer } from "./file-server.js";
import type { Sandbox } from "./sandbox.js";
import type { TestImage } from "./test-image.js";

/** Writes a backend whose versions are images of the fake engine. */
export function writeContainerBackend(sandbox: Sandbox, versions: Readonly<Record<string, TestImage>>): void {
  const entries = Object.entries(versions).map(
    ([version, { reference, digest }]) =>
      `  "${version}": { install: { image: { reference: "${reference}", digest: "${digest}" } } }\n`,
  );
  sandbox.write(
    "backends/boxed.yaml",
    [
      "schemaVersion: 1",
      "name: boxed",
      "description: The fake engine in a container",
      "healthPath: /health",
      'runCommand: "--model {{model_path}} --alias {{model_name}} --host {{worker_ip}} --port {{port}}"',
      "ownedFlags: [--model, --alias, --host, --port]",
      "apiKeyVariable: FAKE_API_KEY",
      "versions:",
      ...entries,
    ].join("\n"),
  );
}

export interface BoxedDeployment {
  model?: ModelName;
  version?: string;
  /** Further lines of the deployment, as `key: value`. */
  fields?: readonly string[];
}

/** A stack file with deployments of that backend. */
export function containerStack(
  server: FileServer,
  portRange: readonly [number, number],
  deployments: Record<string, BoxedDeployment>,
): string {
  const entries = Object.entries(deployments).map(([name, { model = "good", version = "1", fields = [] }]) => {
    const lines = [
      "backend: boxed",
      `backendVersion: "${version}"`,
      `model: { source: url, url: "${server.url(`/${model}.txt`)}", file: model.txt, sha256: ${sha256(models[model])} }`,
      "update: { minHealthyTime: 0s, healthyDeadline: 20s, stopTimeout: 2s }",
      ...fields,
    ];
    return [`  ${name}:`, ...lines.map((line) => `    ${line}`)].join("\n");
  });
  return [
    "schemaVersion: 1",
    `hosts: { local: { connection: local, dataDir: host, portRange: [${portRange.join(", ")}], runtime: supervisord } }`,
    ...(entries.length === 0 ? [] : ["deployments:", ...entries]),
    "",
  ].join("\n");
}
