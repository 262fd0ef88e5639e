import { describe, expect, it } from "vitest";

import { place } from "../../../src/planner/placement.js";
import { problemOf, stackOf } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

describe("place has hosts with private addresses", () => {
  const machine = (address: string, privateAddress = "10.0.0.7") => ({
    ...{ connection: "ssh" as const, dataDir: `/d/${address}`, ssh: { address }, privateAddress },
  });

  it("and refuses two machines with one", () => {
    const error = thrownBy(() => place(problemOf(stackOf({}, { hosts: { a: machine("one"), b: machine("two") } }))));
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      [
        "host b: the host a has the same private address",
        "  got: 10.0.0.7",
        "  expected: an address of its own for each machine",
        "  to do: correct `privateAddress` of one of them; `{{host}}` in it is the host's name",
      ].join("\n"),
    ]);
  });

  it("of which two hosts on one machine may have the same", () => {
    const hosts = { a: machine("one"), b: { ...machine("one"), dataDir: "/d/other" } };
    expect(Object.keys(place(problemOf(stackOf({}, { hosts }))).hosts)).toEqual(["a", "b"]);
  });
});
