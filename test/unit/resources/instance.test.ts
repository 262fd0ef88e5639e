import { describe, expect, it } from "vitest";

import { instanceKind } from "../../../src/resources/instance.js";
import { instanceFolder, listGenerations } from "../../../src/resources/instance-files.js";
import { runnerId } from "../../../src/runtime/runner-id.js";
import { specOf } from "../support/container-specs.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";

const folder = instanceFolder("/data", "shop/dev", "chat-0");
const generation = "0123456789ab";

describe("an instance that is removed", () => {
  /** Removes one whose generation was started from these files, and tells which supervisors were asked to. */
  async function remove(files: Record<string, object | undefined>): Promise<string[]> {
    const host = new MemoryHost();
    for (const [name, content] of Object.entries(files)) {
      const text = content === undefined ? "broken" : JSON.stringify(content);
      host.files.set(`${folder}/${name}/exec.json`, text);
    }
    const asked = new Set<string>();
    class Keeper extends FakeSupervisor {
      constructor(readonly runtime: string) {
        super();
      }
      override remove(...args: Parameters<FakeSupervisor["remove"]>): Promise<void> {
        asked.add(this.runtime);
        return super.remove(...args);
      }
    }
    const supervisor = (runtime: string) => new Keeper(runtime);
    const key = { owner: "shop/dev", name: "chat-0", uses: "instances/shop/dev/chat-0" };
    await instanceKind.remove({ ...contextOf(host), supervisor }, operationOf().operation, key);
    return [...asked];
  }

  const everyRuntime = ["systemd", "supervisord", "docker"];

  it("asks Docker alone to end containers, as no other supervisor is needed, or perhaps there", async () => {
    expect(await remove({ [generation]: specFile() })).toEqual(["docker"]);
  });

  it("asks every supervisor to end what does not tell that it is a container", async () => {
    expect(await remove({ [generation]: { ...specFile(), container: undefined } })).toEqual(everyRuntime);
    expect(await remove({ [generation]: undefined })).toEqual(everyRuntime);
    expect(await remove({ [generation]: specFile(), [generation.replace("0", "f")]: undefined })).toEqual(everyRuntime);
  });
});

/** What the file says that a container was started from. */
function specFile() {
  const { argv, environment, settings, identity, bindAddress, port } = specOf();
  const container = { settings, identity, bindAddress, port, imageId: "sha256:loaded" };
  return { argv, environment, directory: `${folder}/${generation}`, container };
}

describe("an instance whose folder was lost", () => {
  function lose() {
    const supervisor = new FakeSupervisor();
    supervisor.runners.set(runnerId(folder, generation), true);
    supervisor.runners.set(runnerId(instanceFolder("/data", "shop/dev", "chat-1"), generation), true);
    return { supervisor, context: contextOf(new MemoryHost(), supervisor) };
  }

  it("is known by its supervisor, and says so", async () => {
    const { context, supervisor } = lose();
    expect(await listGenerations(context.host, folder, [supervisor])).toEqual([generation]);
    const { drift } = await instanceKind.observe(context, instanceOf(), undefined);
    expect(drift).toEqual([`runs, but its record is gone: ${generation}`]);
  });

  it("is stopped when it is removed, and no other", async () => {
    const { context, supervisor } = lose();
    const key = { owner: "shop/dev", name: "chat-0", uses: "instances/shop/dev/chat-0" };
    await instanceKind.remove(context, operationOf().operation, key);
    expect(await supervisor.list()).toEqual([expect.stringMatching(/^chat-1\./)]);
  });
});
