import { sha256 } from "../../src/lib/canonical.js";
import { containersOf, type FoundContainer } from "./docker-api.js";
import { models, serveModels, type ModelName } from "./fake-stack.js";
import type { FileServer } from "./file-server.js";
import { Sandbox } from "./sandbox.js";
import { TestImages, whyNoTestImages, type TestImage } from "./test-image.js";

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
  /** Further fields of `update`. */
  update?: string;
  /** Further lines of the deployment, as `key: value`. */
  fields?: readonly string[];
}

/** A stack file with deployments of that backend. */
export function containerStack(
  server: FileServer,
  portRange: readonly [number, number],
  deployments: Record<string, BoxedDeployment>,
): string {
  const entries = Object.entries(deployments).map(([name, { model = "good", version = "1", update, fields = [] }]) => {
    const lines = [
      "backend: boxed",
      `backendVersion: "${version}"`,
      `model: { source: url, url: "${server.url(`/${model}.txt`)}", file: model.txt, sha256: ${sha256(models[model])} }`,
      `update: { ${["minHealthyTime: 0s, healthyDeadline: 20s, stopTimeout: 2s", ...(update === undefined ? [] : [update])].join(", ")} }`,
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

/** Why this machine cannot run containers of the fake engine; undefined when it can, and in CI, where it has to. */
export async function whyNoBoxes(): Promise<string | undefined> {
  return process.env.BERTH_TEST_ALL === "1" ? undefined : whyNoTestImages();
}

/** A sandbox with a backend of two versions that are images of the fake engine, and models for them. */
export class BoxedSetting {
  private constructor(
    readonly server: FileServer,
    readonly images: TestImages,
    readonly sandbox: Sandbox,
    readonly versions: Readonly<Record<"1" | "2", TestImage>>,
  ) {}

  static async create(): Promise<BoxedSetting> {
    const server = await serveModels();
    const images = await TestImages.start();
    const versions = { "1": await images.fake("1"), "2": await images.fake("2") };
    const sandbox = await Sandbox.create();
    writeContainerBackend(sandbox, versions);
    return new BoxedSetting(server, images, sandbox, versions);
  }

  /** Where the first deployment of the stack serves. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.sandbox.portRange[0]}/v1`;
  }

  /** Writes the stack file. @param change of its text */
  want(deployments: Record<string, BoxedDeployment>, change: (text: string) => string = (text) => text): void {
    this.sandbox.writeStack(change(containerStack(this.server, this.sandbox.portRange, deployments)));
  }

  /** An `up` that has to go well. Returns what it printed. */
  async up(args: readonly string[] = []): Promise<string> {
    const { exitCode, output } = await this.sandbox.up(args);
    if (exitCode !== 0) throw new Error(output);
    return output;
  }

  containers(): Promise<FoundContainer[]> {
    return containersOf(this.sandbox.dataDir);
  }

  /** The id of the only container. */
  async only(): Promise<string> {
    const [found, ...others] = await this.containers();
    if (found === undefined || others.length > 0)
      throw new Error(`${others.length} others beside ${found?.Id ?? "none"}`);
    return found.Id;
  }

  async dispose(): Promise<void> {
    await this.sandbox.dispose();
    await this.images.close();
    await this.server.close();
  }
}
