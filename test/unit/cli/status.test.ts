import { describe, expect, it } from "vitest";

import { formatStatus, type Status, type StatusRow } from "../../../src/cli/status.js";

const row: StatusRow = {
  ...{ instance: "chat-0", host: "new", desired: "engine 2", deployed: "engine 1", health: "answered" },
  ...{ endpoint: "http://old:8000/v1", drift: [] },
};
const quiet: Status = {
  ...{
    stack: "prod",
    stale: undefined,
    rows: [row],
    gateways: [],
    otherDrift: [],
    leftHosts: [],
    pendingOperations: 0,
  },
  updater: { kind: "none" },
};

describe("formatStatus", () => {
  it("says where a replica is now, when the lock wants it elsewhere", () => {
    expect(formatStatus(quiet)).toMatch(/^ chat-0 +new +engine 2/m);
    const moved = { ...quiet, rows: [{ ...row, deployedOn: "old" }] };
    expect(formatStatus(moved)).toMatch(/^ chat-0 +new, now on old +engine 2/m);
  });

  it("says which other hosts a replica has, in its own row", () => {
    const members = [
      { name: "chat-0.b.14001", host: "b" },
      { name: "chat-0.c.14001", host: "c" },
    ];
    const text = formatStatus({ ...quiet, rows: [{ ...row, members }] });
    expect(text).toMatch(/^ chat-0 +new +engine 2.*\n +\+ b +\n +\+ c/m);
  });

  it("says of hosts that are left what is on them, and what to do", () => {
    const text = formatStatus({
      ...quiet,
      leftHosts: [
        { name: "old", leftBy: "lock", instances: ["chat-0", "chat-1"] },
        { name: "next", leftBy: "stack file", instances: [] },
      ],
    });
    expect(text.split("\n").slice(-2)).toEqual([
      "host old: the lock has it no more; `pulumi up --stack prod` takes chat-0, chat-1 away; when the host is gone for good, run `berth host forget old prod` first",
      "host next: the stack file has it no more; after `berth lock prod`, `pulumi up --stack prod` takes what is there away",
    ]);
  });

  it("says which models the gateway serves, and where", () => {
    const gateway = { host: "gw", endpoint: "http://10.0.0.2:8443/v1", models: ["chat", "gpt-4o"] };
    const lines = (health: "serves" | "not deployed") =>
      formatStatus({ ...quiet, gateways: [{ ...gateway, health }] })
        .split("\n")
        .slice(-1);
    expect(lines("serves")).toEqual(["gateway on gw: http://10.0.0.2:8443/v1 serves chat, gpt-4o"]);
    expect(lines("not deployed")).toEqual(["gateway on gw: http://10.0.0.2:8443/v1 is not deployed"]);
  });

  it("tells an update that runs from operations that were interrupted", () => {
    const open = { ...quiet, pendingOperations: 2 };
    expect(formatStatus(open)).toContain("state: 2 operations were interrupted: run `berth recover`");
    const running = formatStatus({ ...open, updater: { kind: "running", holder: "process 7 of ada" } });
    expect(running).toContain("state: an update runs now (process 7 of ada): wait until it is done");
    expect(running).not.toContain("interrupted");
  });
});
