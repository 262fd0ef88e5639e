import { describe, expect, it } from "vitest";

import { instanceKind } from "../../../src/resources/instance.js";
import { instanceFolder, listGenerations, runnerId } from "../../../src/resources/instance-files.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";

const folder = instanceFolder("/data", "shop/dev", "chat-0");
const generation = "0123456789ab";

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
