import { describe, expect, it } from "vitest";

import { compareFields } from "../../../src/resources/difference.js";
import { planSubordinate } from "../../../src/resources/subordinate.js";
import { claimedBy } from "../../../src/resources/subordinate-claims.js";
import {
  subordinateDifferences,
  subordinateInputs,
  type SubordinateInputs,
} from "../../../src/resources/subordinate-inputs.js";

const inputs = subordinateInputs.parse({
  name: "chat-0.gpu-2.14003",
  owner: "shop/dev",
  host: { connection: "local", name: "gpu-2", dataDir: "/srv/berth" },
  instance: "chat-0",
  backend: "llama-cpp",
  backendVersion: "b11434",
  installation: "installation-1",
  executable: "ggml-rpc-server",
  runtime: "supervisord",
  address: "10.0.0.2",
  port: 14_003,
  admits: "10.0.0.1",
  serverPort: 14_004,
  haproxy: "/usr/sbin/haproxy",
});

const runs = (part: "server" | "relay", pid: number) => ({ part, pid, drift: [] });

describe("what is done about a subordinate", () => {
  const record = { pids: [10, 11] };

  it("is nothing while the very processes run that were proven", () => {
    const seen = [runs("server", 10), runs("relay", 11)];
    expect(planSubordinate({ record, seen, isDrifted: false })).toBe("nothing");
  });

  it.each([
    ["its server", [runs("server", 12), runs("relay", 11)]],
    ["what stands before it", [runs("server", 10), runs("relay", 12)]],
  ])("is to write down anew that %s came back by itself, so that the primary is started again", (_, seen) => {
    expect(planSubordinate({ record, seen, isDrifted: false })).toBe("record");
  });

  it.each([
    ["does not run", [{ part: "server" as const, pid: undefined, drift: ["does not run"] }, runs("relay", 11)]],
    ["was changed", [{ ...runs("server", 10), drift: ["was changed"] }, runs("relay", 11)]],
    ["is not installed", []],
  ])("is to start it where it %s", (_, seen) => {
    expect(planSubordinate({ record, seen, isDrifted: false })).toBe("start");
  });

  it("is to start one that was never proven", () => {
    const seen = [runs("server", 10), runs("relay", 11)];
    expect(planSubordinate({ record: undefined, seen, isDrifted: true })).toBe("start");
  });
});

describe("a subordinate's inputs", () => {
  const changeOf = (change: Partial<SubordinateInputs>) =>
    compareFields(subordinateDifferences, inputs, { ...inputs, ...change }).map((each) => each.change);

  it.each([
    { backendVersion: "b11435" },
    { installation: "installation-2" },
    { admits: "10.0.0.9" },
    { env: { A: "1" } },
  ])("start it again for %j", (change) => expect(changeOf(change)).toEqual(["update"]));

  it("put another beside it before it goes when its name is another", () => {
    expect(changeOf({ name: "chat-0.gpu-2.14005" })).toEqual(["replace"]);
  });

  it("claim its ports and parts of its devices, under a name that those have too who follow it", () => {
    const device = { device: "GPU-a", weightsBytes: 1, cacheBytes: 1, otherBytes: 1, takenBytes: 3 };
    const memory = { option: "hosts2", basis: "estimate" as const, devices: [device], hostBytes: 0 };
    const holder = { owner: "shop/dev", instance: "chat-0.gpu-2" };
    expect(claimedBy({ ...inputs, devices: ["GPU-a"], memory })).toEqual([
      { port: 14_003, ...holder },
      { port: 14_004, ...holder },
      { device: "GPU-a", bytes: 3, ...holder },
    ]);
  });
});
