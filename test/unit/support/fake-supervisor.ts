import type { RunnerDefinition, RunnerObservation, RunnerSpec, Supervisor } from "../../../src/runtime/supervisor.js";

/** A supervisor in memory. */
export class FakeSupervisor implements Supervisor {
  /** By id: whether the runner runs. */
  readonly runners = new Map<string, boolean>();

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  start({ id }: RunnerSpec): Promise<void> {
    this.runners.set(id, true);
    return Promise.resolve();
  }

  stop({ id }: RunnerDefinition): Promise<void> {
    this.runners.set(id, false);
    return Promise.resolve();
  }

  remove({ id }: RunnerDefinition): Promise<void> {
    this.runners.delete(id);
    return Promise.resolve();
  }

  observe({ id }: RunnerDefinition): Promise<RunnerObservation> {
    const running = this.runners.get(id);
    return Promise.resolve({
      state:
        running === undefined
          ? { kind: "absent" }
          : running
            ? { kind: "running", pid: 1 }
            : { kind: "stopped", reason: "exited" },
      restarts: 0,
      asDefined: true,
    });
  }

  readOutput(): Promise<string> {
    return Promise.resolve("");
  }

  followOutput(): Promise<void> {
    return Promise.resolve();
  }

  list(): Promise<string[]> {
    return Promise.resolve([...this.runners.keys()]);
  }

  retire(): Promise<void> {
    return Promise.resolve();
  }
}
