import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import type { ContainerBody } from "./container-body.js";
import type { RunnerDefinition } from "./supervisor.js";

type Named = Pick<RunnerDefinition, "id">;

/** As much of a body as comparing it takes for granted. */
const writtenBody = z.looseObject({
  Image: z.string(),
  Env: z.array(z.string()),
  Labels: z.record(z.string(), z.string()),
  HostConfig: z.looseObject({}),
});

/** How containers were made: one file for each, in the data directory, for its owner alone. */
export class DockerDefinitions {
  readonly folder: string;
  readonly #host: Host;

  constructor(host: Host, dataDir: string) {
    this.#host = host;
    this.folder = dataPaths(dataDir).containers;
  }

  async write(runner: Named, body: ContainerBody): Promise<void> {
    await this.#host.makeDirectory(this.folder, 0o700);
    await this.#host.writeFile(this.#path(runner), `${JSON.stringify(body)}\n`, 0o600);
  }

  /** Undefined when there is none, or somebody made something else of it. */
  async read(runner: Named): Promise<ContainerBody | undefined> {
    const text = await this.#host.readText(this.#path(runner));
    if (text === undefined) return undefined;
    try {
      // Whatever it says now is compared with what the engine tells, and never run.
      return writtenBody.parse(JSON.parse(text)) as unknown as ContainerBody;
    } catch {
      return undefined;
    }
  }

  async has(runner: Named): Promise<boolean> {
    return (await this.#host.status(this.#path(runner))) !== undefined;
  }

  async remove(runner: Named): Promise<void> {
    await this.#host.remove(this.#path(runner));
  }

  /** Ids of the runners that have one. */
  async list(): Promise<string[]> {
    const names = await this.#host.list(this.folder);
    return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length));
  }

  #path({ id }: Named): string {
    return posix.join(this.folder, `${id}.json`);
  }
}
