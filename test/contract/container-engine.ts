import { randomBytes } from "node:crypto";

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import type { RegistryLogin } from "../../src/host/registry-login.js";
import type { ContainerBody } from "../../src/runtime/container-body.js";
import type { ContainerEngine } from "../../src/runtime/container-engine.js";
import { describeContainers } from "./container-engine-containers.js";
import { describeImages } from "./container-engine-images.js";

/** What a container's first process does, as its command. */
export interface EnginePrograms {
  /** Waits, and ends with 0 when it is asked to. */
  readonly idle: readonly string[];
  /** Waits, and does not end when it is asked to. */
  readonly stubborn: readonly string[];
  /** Writes `out 1`, `err 1`, `out 2`, `err 2`, `out 3`, and ends with 3. */
  readonly talk: readonly string[];
  /** There is no such program. */
  readonly absent: readonly string[];
}

export interface EngineSetting {
  readonly engine: ContainerEngine;
  /** The name of an image that is there. */
  readonly image: string;
  readonly programs: EnginePrograms;
  /** An image of a registry that asks for a login, and is not there. */
  readonly pullable: { readonly reference: string; readonly login: RegistryLogin };
  /** Kills a container's first process, without a word to the engine. */
  readonly kill: (pid: number) => void;
  /** Makes a network, which `dispose` removes. */
  readonly makeNetwork: (name: string) => Promise<void>;
  readonly freePort: () => Promise<number>;
  readonly dispose: () => Promise<void>;
}

/** Containers of a test, with a label of their own. */
export class EngineStage {
  readonly mark = `m${randomBytes(4).toString("hex")}`;

  constructor(readonly setting: EngineSetting) {}

  get engine(): ContainerEngine {
    return this.setting.engine;
  }

  name(suffix: string): string {
    return `berth-test-${this.mark}-${suffix}`;
  }

  body(program: keyof EnginePrograms, more: object = {}): ContainerBody {
    const { image, programs } = this.setting;
    const { Labels, ...others } = { Labels: {}, ...more };
    return {
      Image: image,
      Cmd: programs[program],
      Labels: { "berth.test": this.mark, ...Labels },
      ...others,
    } as object as ContainerBody;
  }

  /** One that is made and started. */
  async run(suffix: string, program: keyof EnginePrograms, more: object = {}): Promise<string> {
    const id = await this.engine.createContainer(this.name(suffix), this.body(program, more));
    await this.engine.startContainer(id);
    return id;
  }

  async state(container: string): Promise<string> {
    return (await this.engine.inspectContainer(container))?.state ?? "absent";
  }

  async clear(): Promise<void> {
    const all = await this.engine.listContainers({ "berth.test": this.mark });
    for (const { id } of all) await this.engine.removeContainer(id);
  }
}

/** What every ContainerEngine promises (`src/runtime/container-engine.ts`). */
export function describeEngine(name: string, make: () => Promise<EngineSetting>): void {
  describe(name, () => {
    let stage: EngineStage;

    beforeAll(async () => {
      stage = new EngineStage(await make());
    });
    afterEach(() => stage.clear());
    afterAll(() => stage.setting.dispose());

    it("tells its version", async () => {
      const { version, apiVersion } = await stage.engine.version();
      expect(version).toMatch(/^\d+\./);
      expect(apiVersion).toMatch(/^1\.\d+$/);
    });

    describeImages(() => stage);
    describeContainers(() => stage);
  });
}
