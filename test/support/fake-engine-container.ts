import { randomBytes } from "node:crypto";

import type { ContainerBody } from "../../src/runtime/container-body.js";
import type { ContainerEnd, ContainerStatus } from "../../src/runtime/container-engine.js";

/** What a container's first process does. */
export type Program =
  | { readonly kind: "idle"; readonly output?: readonly string[] }
  /** Does not end when it is asked to. */
  | { readonly kind: "stubborn" }
  | { readonly kind: "ends"; readonly exitCode: number; readonly output?: readonly string[] }
  /** Cannot be started. */
  | { readonly kind: "absent" };

interface Parts {
  readonly name: string;
  readonly imageId: string;
  readonly body: ContainerBody;
  readonly program: Program;
}

let lastPid = 1000;

/** One container of a `FakeEngine`. */
export class FakeContainer {
  readonly id = randomBytes(32).toString("hex");
  name: string;
  readonly imageId: string;
  readonly body: ContainerBody;
  readonly output: string[] = [];
  pid = 0;
  lastEnd: ContainerEnd | undefined;
  readonly #program: Program;
  #state: ContainerStatus["state"] = "created";
  #exitCode = 0;
  #startedAt = "";
  #restarts = 0;

  constructor({ name, imageId, body, program }: Parts) {
    this.name = name;
    this.imageId = imageId;
    this.body = body;
    this.#program = program;
  }

  get isAlive(): boolean {
    return this.#state === "running";
  }

  get wantsUnknownDevices(): boolean {
    return (hostConfig(this.body).DeviceRequests ?? []).some(({ Driver }) => Driver === "berth-none");
  }

  /** False when it cannot be started. */
  start(): boolean {
    if (this.#program.kind === "absent") return false;
    this.#restarts = 0;
    this.#run();
    return true;
  }

  stop(): void {
    if (this.isAlive) this.#end(this.#program.kind === "stubborn" ? 137 : 0);
  }

  /** Its process ends by itself. */
  crash(exitCode: number): void {
    this.#end(exitCode);
    const policy = hostConfig(this.body).RestartPolicy?.Name ?? "no";
    if (policy === "no") return;
    this.#restarts += 1;
    this.#run();
  }

  status(): ContainerStatus {
    return {
      id: this.id,
      name: this.name,
      imageId: this.imageId,
      state: this.#state,
      pid: this.pid,
      exitCode: this.#exitCode,
      outOfMemory: false,
      error: "",
      startedAt: this.#startedAt,
      restarts: this.#restarts,
      body: structuredClone(this.body),
    };
  }

  #run(): void {
    this.pid = lastPid += 1;
    this.#state = "running";
    this.#exitCode = 0;
    this.#startedAt = new Date().toISOString();
    if ("output" in this.#program) this.output.push(...this.#program.output);
    // It would come back for ever: its engine waits longer and longer.
    if (this.#program.kind === "ends") this.#end(this.#program.exitCode);
  }

  #end(exitCode: number): void {
    this.pid = 0;
    this.lastEnd = { exitCode, outOfMemory: false };
    this.#state = "exited";
    this.#exitCode = exitCode;
  }
}

/** Ports of the host that lead to a container. */
export function hostPorts(body: ContainerBody): number[] {
  const bindings = Object.values(hostConfig(body).PortBindings ?? {});
  return bindings.flat().map(({ HostPort }) => Number(HostPort));
}

interface UsedHostConfig {
  readonly PortBindings?: Readonly<Record<string, readonly { readonly HostPort: string }[]>>;
  readonly RestartPolicy?: { readonly Name: string };
  readonly DeviceRequests?: readonly { readonly Driver?: string }[];
}

/** Tests may have bodies that are less than whole. */
function hostConfig(body: ContainerBody): UsedHostConfig {
  return (body as { readonly HostConfig?: UsedHostConfig }).HostConfig ?? {};
}
