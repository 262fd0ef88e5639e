import { describe, expect, it } from "vitest";

import { formatMetrics, type WatchedInstance } from "../../../src/cli/status-metrics.js";

const row: WatchedInstance = {
  ...{ instance: "chat-0", deployment: "chat", model: 'a"b\\c', host: "one", desired: "e 1", deployed: "e 1" },
  ...{ health: "answered", drift: [] },
};
const stack = { stack: "prod", stale: undefined, otherDrift: ["x"], pendingOperations: 0 };

function valuesOf(changes: Partial<WatchedInstance>): Record<string, string> {
  const text = formatMetrics({ ...stack, rows: [{ ...row, ...changes }] }, new Date(5000));
  const found = [...text.matchAll(/^berth_instance_(\w+)\{.*\} (\d)$/gm)];
  return Object.fromEntries(found.map(([, name = "", value = ""]): [string, string] => [name, value]));
}

describe("status as Prometheus reads it", () => {
  it("escapes labels, and tells when it was looked", () => {
    const text = formatMetrics({ ...stack, rows: [row] }, new Date(5000));
    expect(text).toContain('deployment="chat",instance="chat-0",host="one",model="a\\"b\\\\c"} 1\n');
    expect(text).toMatch(/^berth_status_timestamp_seconds\{stack="prod"\} 5$/m);
    expect(text).toMatch(/^berth_drifted_resources\{stack="prod"\} 1$/m);
  });

  it.each<[string, Partial<WatchedInstance>, object]>([
    ["well", {}, { deployed: "1", wanted: "1", reachable: "1", healthy: "1", drifted: "0" }],
    ["down", { health: "down", drift: ["is down"] }, { reachable: "1", healthy: "0", drifted: "1" }],
    [
      "on a host that does not answer",
      { health: "unknown", drift: ["x"] },
      { reachable: "0", healthy: "0", drifted: "0" },
    ],
    ["not deployed", { health: "not deployed", deployed: undefined }, { deployed: "0", healthy: "0" }],
  ])("tells of an instance that is %s", (_what, changes, expected) => {
    expect(valuesOf(changes)).toMatchObject(expected);
  });
});
