import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";

import { sha256 } from "../../src/lib/canonical.js";
import type { Properties } from "../../src/pulumi/properties.js";
import { HostileServer, ranges } from "../support/hostile-server.js";
import type { Convergence, KindName } from "./convergence.js";

/** A resource as its user wants it. */
export interface Wanted {
  readonly inputs: (stage: Convergence) => Properties;
  /** Does to it what makes the next run repair it. */
  readonly damage: (stage: Convergence) => void;
  /** Whether all is on the host as it should be. */
  readonly isRight: (stage: Convergence) => boolean;
}

const model = Buffer.alloc(300_000, "model ");
const engine = "#!/bin/sh\necho 1.0\n";
const placed = ["models", sha256(model), "m.gguf"];
const link = ["bin", "engine_1.0"];
const marker = "berth.json";

/** A web server with what the resources are made of. */
export class Sources {
  private constructor(
    private readonly models: HostileServer,
    private readonly engines: HostileServer,
  ) {}

  static async start(): Promise<Sources> {
    const sources = new Sources(await HostileServer.start(), await HostileServer.start());
    sources.models.answer(ranges(model));
    sources.engines.answer(ranges(Buffer.from(engine)));
    return sources;
  }

  async close(): Promise<void> {
    await this.models.close();
    await this.engines.close();
  }

  get wanted(): Readonly<Record<KindName, Wanted>> {
    const platforms = ["x64", "arm64"].flatMap((arch) => ["linux", "darwin"].map((os) => ({ os, arch })));
    const file = { url: this.engines.url, sha256: sha256(engine), unpackedBytes: 1000 };
    const artifacts = platforms.map((platform) => ({ ...platform, ...file }));
    return {
      Host: {
        inputs: (stage) => stage.inputs("Host", {}),
        damage: (stage) => rmSync(stage.path(marker)),
        isRight: (stage) => existsSync(stage.path(marker)),
      },
      ModelFiles: {
        inputs: (stage) =>
          stage.inputs("ModelFiles", {
            from: { source: "url", url: this.models.url },
            file: "m.gguf",
            sha256: sha256(model),
          }),
        damage: (stage) => writeFileSync(stage.path(...placed), "damaged"),
        isRight: (stage) => readFileSync(stage.path(...placed)).equals(model),
      },
      BackendVersion: {
        inputs: (stage) =>
          stage.inputs("BackendVersion", { backend: "engine", version: "1.0", method: "binary", artifacts }),
        damage: (stage) => {
          chmodSync(stage.path(...link), 0o755);
          writeFileSync(stage.path(...link), "#!/bin/sh\necho damaged\n");
        },
        isRight: (stage) => readFileSync(stage.path(...link), "utf8") === engine,
      },
    };
  }
}

export type OperationName = "create" | "update" | "delete";

/** What all kinds go through, and each operation on them. */
export const lives: readonly (readonly [KindName, OperationName])[] = (
  ["Host", "ModelFiles", "BackendVersion"] as const
).flatMap((kind) => (["create", "update", "delete"] as const).map((operation) => [kind, operation] as const));

/** Brings a data directory to where the operation is due; returns what the user wants then. */
export async function prepare(
  stage: Convergence,
  [kind, operation]: readonly [KindName, OperationName],
  wanted: Sources["wanted"],
): Promise<Properties | undefined> {
  stage.clear();
  if (kind !== "Host") await stage.here.writeFile(stage.path(marker), "{}");
  const inputs = wanted[kind].inputs(stage);
  if (operation === "create") return inputs;
  await stage.upHere(kind, inputs);
  if (operation === "delete") return undefined;
  wanted[kind].damage(stage);
  return inputs;
}

/** What is not as it should be after a run that went well; then everything is taken away. */
export async function findWrong(
  stage: Convergence,
  kind: KindName,
  news: Properties | undefined,
  wanted: Sources["wanted"],
): Promise<string[]> {
  const wrong: string[] = [];
  if ((await stage.open()).length > 0) wrong.push("an operation is open");
  if (news !== undefined && !wanted[kind].isRight(stage)) wrong.push("what is on the host is wrong");
  const steps = await stage.stepsOf(() => stage.upHere(kind, news));
  if (steps.length > 0) wrong.push(`the run after it does: ${steps.join(", ")}`);
  await stage.upHere(kind, undefined);
  const left = stage.files().filter((file) => kind === "Host" || file !== marker);
  return [...wrong, ...left.map((file) => `${file} is left`)];
}
