import { describe, expect, it } from "vitest";

import { describeSelector, unmetBy } from "../../../src/planner/selector.js";
import { hostSelector, type HostSelector } from "../../../src/schema/selector.js";

const labels = { os: "linux", gpu: "h100", pool: "" };

describe("a selector", () => {
  it.each<[HostSelector]>([
    [{}],
    [{ os: "linux" }],
    [{ pool: "" }],
    [{ gpu: ["h100", "h200"] }],
    [{ gpu: { notIn: ["l4"] } }],
    [{ zone: { notIn: ["a"] } }],
    [{ pool: { exists: true } }],
    [{ zone: { exists: false } }],
    [{ os: ["linux"], gpu: { notIn: ["l4"] }, zone: { exists: false } }],
  ])("%j fits", (selector) => {
    expect(unmetBy(labels, selector)).toEqual([]);
  });

  it.each<[HostSelector, string[]]>([
    [{ os: "darwin" }, ["os=darwin"]],
    [{ zone: "a" }, ["zone=a"]],
    [{ zone: ["a", "b"] }, ["zone in (a, b)"]],
    [{ gpu: ["l4", "l40s"] }, ["gpu in (l4, l40s)"]],
    [{ gpu: { notIn: ["h100"] } }, ["gpu not in (h100)"]],
    [{ zone: { exists: true } }, ["zone there"]],
    [{ pool: { exists: false } }, ["pool not there"]],
    [{ constructor: { exists: true } }, ["constructor there"]],
    [{ os: "linux", gpu: "l4", zone: "a" }, ["gpu=l4", "zone=a"]],
  ])("%j does not fit, and its parts that do not are told", (selector, unmet) => {
    expect(unmetBy(labels, selector)).toEqual(unmet);
  });

  it("is described part by part", () => {
    const selector: HostSelector = {
      os: "linux",
      gpu: ["h100", "h200"],
      zone: { notIn: ["b"] },
      pool: { exists: true },
    };
    expect(describeSelector(selector)).toBe("os=linux, gpu in (h100, h200), zone not in (b), pool there");
  });

  const forms = "expected a value, a list of values, { notIn: [...] } or { exists: true or false }";
  it.each([
    [{ os: 1 }, forms],
    [{ os: null }, forms],
    [{ os: [1] }, forms],
    [{ os: { exists: "yes" } }, forms],
    [{ os: { is: "a" } }, forms],
    [{ os: [] }, "expected at least one value"],
    [{ os: { notIn: [] } }, "expected at least one value"],
  ])("that is %j is refused with what is expected", (written, message) => {
    expect(hostSelector.safeParse(written).error?.issues[0]?.message).toBe(message);
  });
});
