import { describe, expect, it } from "vitest";

import { assertOneOwnerEach } from "../../../src/planner/device-owners.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { facts } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const card = (uuid: string, identifiedBy?: Accelerator["identifiedBy"]): Accelerator => ({
  ...{ type: "rocm", name: "card", index: 0, uuid, memoryBytes: 80e9, driverVersion: "6" },
  ...(identifiedBy === undefined ? {} : { identifiedBy }),
});
const host = (address: string | undefined, ...accelerators: Accelerator[]) => ({
  ...(address === undefined
    ? { connection: "local" as const }
    : { connection: "ssh" as const, ssh: { address, port: 22 } }),
  facts: { ...facts, accelerators },
});
const on = (name: string, ...devices: string[]) => ({ host: name, devices });

describe("a device that instances have by the names of two hosts", () => {
  it("is refused by its identity, wherever the hosts seem to be, with who would have it", () => {
    const hosts = { one: host(undefined, card("GPU-1")), two: host("10.0.0.2", card("GPU-1")) };
    const error = thrownBy(() => {
      assertOneOwnerEach({ "a-0": on("one", "GPU-1"), "b-0": on("two", "GPU-1") }, hosts);
    });
    expect([error.code, error.parts.where, error.parts.got]).toEqual([
      ...["stack-inconsistent", "host two"],
      "device GPU-1 for a-0 by one, and for b-0 by two",
    ]);
  });

  it.each(["pciBusId", "index"] as const)("is refused by its %s where both are one machine", (identifiedBy) => {
    const hosts = { one: host(undefined, card("0", identifiedBy)), two: host(undefined, card("0", identifiedBy)) };
    const error = thrownBy(() => {
      assertOneOwnerEach({ "a-0": on("one", "0"), "b-0": on("two", "0") }, hosts);
    });
    expect(error.code).toBe("stack-inconsistent");
  });

  it("is another one where machines differ and only its place is known", () => {
    const hosts = { one: host("a", card("0", "index")), two: host("b", card("0", "index")) };
    expect(() => {
      assertOneOwnerEach({ "a-0": on("one", "0"), "b-0": on("two", "0") }, hosts);
    }).not.toThrow();
  });

  it("may be shared by instances of one host, and lie idle on the other", () => {
    const hosts = { one: host(undefined, card("GPU-1")), two: host(undefined, card("GPU-1"), card("GPU-2")) };
    const instances = { "a-0": on("one", "GPU-1"), "b-0": on("one", "GPU-1"), "c-0": on("two", "GPU-2") };
    expect(() => {
      assertOneOwnerEach(instances, hosts);
    }).not.toThrow();
  });
});
