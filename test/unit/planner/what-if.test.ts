import { describe, expect, it } from "vitest";

import { changeHosts } from "../../../src/planner/what-if.js";
import { stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const stack = stackOf(
  {},
  { hosts: { a: { connection: "local", dataDir: "/a", labels: { pool: "x" } }, b: { connection: "local" } } },
);
const nothing = { drained: [], removed: [], added: [] };

describe("changeHosts", () => {
  it("drains, removes and adds hosts, and leaves the stack itself alone", () => {
    const changed = changeHosts(stack, { drained: ["a"], removed: ["b"], added: [{ name: "c", like: "a" }] });
    expect(changed.hosts).toMatchObject({
      a: { drain: true },
      c: { connection: "ssh", ssh: { address: "c" }, labels: { pool: "x" } },
    });
    expect(Object.keys(changed.hosts)).toEqual(["a", "c"]);
    expect(stack.hosts.a).not.toHaveProperty("drain");
  });

  it.each([
    [{ drained: ["z"] }, "the stack has no such host"],
    [{ removed: ["z"] }, "the stack has no such host"],
    [{ added: [{ name: "c", like: "z" }] }, "the stack has no such host"],
    [{ added: [{ name: "a", like: "b" }] }, "the stack has a host of this name"],
    [{ removed: ["a", "b"] }, "no host would be left"],
  ])("refuses %j", (asked, what) => {
    expect(thrownBy(() => changeHosts(stack, { ...nothing, ...asked })).parts.what).toBe(what);
  });
});
