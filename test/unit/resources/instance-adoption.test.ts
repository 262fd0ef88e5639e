import { describe, expect, it } from "vitest";

import { decideAdoption, type Met } from "../../../src/resources/instance-adoption.js";
import { instanceFolder } from "../../../src/resources/instance-files.js";
import { instanceKind } from "../../../src/resources/instance.js";
import { runnerId } from "../../../src/runtime/runner-id.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { FakeSupervisor } from "../support/fake-supervisor.js";
import { instanceOf } from "../support/instances.js";
import { MemoryHost } from "../support/memory-host.js";

type Case = [string, Partial<Met>, Record<"never" | "ifLabelled" | "always", ReturnType<typeof decideAdoption>>];

describe("what a creation does about what it meets", () => {
  it.each<Case>([
    ["nothing", {}, { never: "go", ifLabelled: "go", always: "go" }],
    ["its own", { own: true }, { never: "refuseOwn", ifLabelled: "go", always: "go" }],
    [
      "its own, begun by an interrupted run",
      { own: true, isFirst: false },
      { never: "go", ifLabelled: "go", always: "go" },
    ],
    ["somebody else's", { foreign: true }, { never: "refuseForeign", ifLabelled: "refuseForeign", always: "replace" }],
    ["both", { own: true, foreign: true }, { never: "refuseForeign", ifLabelled: "refuseForeign", always: "replace" }],
  ])("%s", (_, met, expected) => {
    for (const adopt of ["never", "ifLabelled", "always"] as const)
      expect([adopt, decideAdoption({ adopt, isFirst: true, own: false, foreign: false, ...met })]).toEqual([
        adopt,
        expected[adopt],
      ]);
  });

  it("is ifLabelled where nothing is said", () => {
    const met = { adopt: undefined, isFirst: true };
    expect(decideAdoption({ ...met, own: true, foreign: false })).toBe("go");
    expect(decideAdoption({ ...met, own: false, foreign: true })).toBe("refuseForeign");
  });
});

describe("a process that the state does not know", () => {
  it("is left alone with adopt: never, told with what to do, and nothing on the host changes", async () => {
    const supervisor = new FakeSupervisor();
    const id = runnerId(instanceFolder("/data", "shop/dev", "chat-0"), "0123456789ab");
    supervisor.runners.set(id, true);
    const host = new MemoryHost();
    const { operation, steps } = operationOf(undefined, true);
    const created = instanceKind.converge(contextOf(host, supervisor), operation, instanceOf({ adopt: "never" }));
    await expect(created).rejects.toMatchObject({
      code: "adoption-refused",
      parts: { got: "shop/dev, chat-0: 0123456789ab", hint: expect.stringContaining("adopt: ifLabelled") as string },
    });
    expect(steps).toEqual([]);
    expect(supervisor.runners.get(id)).toBe(true);
    expect([...host.files]).toEqual([]);
  });
});
