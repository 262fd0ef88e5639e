import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, it, vi } from "vitest";

import { Gateway } from "../../../src/pulumi/resources.js";

// Pulumi cannot write down what vitest makes of its code.
vi.mock("../../../src/pulumi/shim.js", () => ({ shim: () => ({}) }));

const args = {
  host: { name: "local", connection: "local", dataDir: "/data" },
  haproxy: "/usr/sbin/haproxy",
  runtime: "systemd",
} as const;

describe("a resource that is made in a program", () => {
  beforeAll(async () => {
    await pulumi.runtime.setMocks({
      call: () => ({}),
      newResource: ({ name, inputs }) => ({ id: name, state: inputs as object }),
    });
  });

  it("leaves errors their stacks", async () => {
    const { stackTraceLimit } = Error;
    const gateway = new Gateway("gateway", args);
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    expect(stackTraceLimit).toBeGreaterThan(0);
    expect(await new Promise((resolve) => gateway.urn.apply(resolve))).toContain("berth:Gateway::gateway");
  });

  it("tells where it was made when it cannot be", () => {
    const { stackTraceLimit } = Error;
    let stack = "";
    try {
      new Gateway("", args);
    } catch (error) {
      stack = error instanceof Error ? (error.stack ?? "") : "";
    }
    expect(stack).toContain("Missing resource name");
    expect(stack).toContain("resources.test.ts");
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
  });
});
