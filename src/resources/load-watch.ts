import { addMeasure } from "../host/measures.js";
import type { InstanceInputs } from "./instance-inputs.js";
import type { Generation } from "./instance-plan.js";
import type { Context } from "./kind.js";

interface Watched {
  readonly context: Pick<Context, "host" | "reference" | "clock" | "serial">;
  readonly inputs: Pick<InstanceInputs, "backend" | "backendVersion" | "modelSha256" | "devices">;
  readonly desired: Generation;
}

/** How long the desired runner of a change took from its start until it answered, so that later plans can tell. */
export class LoadWatch {
  readonly #watched: Watched;
  #startedAt: Date | undefined;
  #answeredAt: Date | undefined;

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  start(generation: Generation): void {
    if (generation === this.#watched.desired) this.#startedAt = this.#watched.context.clock.now();
  }

  verify(generation: Generation, answeredAt: Date): void {
    if (generation === this.#watched.desired) this.#answeredAt = answeredAt;
  }

  /** Nothing of a runner that was there already. What serves, serves, whether or not this could be written down. */
  async record(): Promise<void> {
    if (this.#startedAt === undefined || this.#answeredAt === undefined) return;
    const { host, reference, clock, serial } = this.#watched.context;
    const { backend, backendVersion: version, modelSha256, devices = [] } = this.#watched.inputs;
    const seconds = Math.max(0, (this.#answeredAt.getTime() - this.#startedAt.getTime()) / 1000);
    const samples = [{ seconds, version, at: clock.now().toISOString() }];
    const added = { schemaVersion: 1, kind: "load", backend, modelSha256, devices: devices.length, samples } as const;
    const { name, dataDir } = reference;
    await serial.run(`${name} ${dataDir} measures`, () => addMeasure(host, dataDir, added)).catch(() => undefined);
  }
}
