import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { compareVersions, satisfies } from "../../../src/catalog/version.js";
import { parseConstraint } from "../../../src/schema/version-constraint.js";
import { resolveVersion } from "../../../src/catalog/version-choice.js";
import { thrownBy } from "../support/thrown.js";

const where = "deployment chat";
const vllm = { name: "vllm", defaultVersion: "0.19.0" };
const releases = ["v0.11.0", "0.19.0", "0.19.1", "0.10.2", "0.20.0rc1"];
const llama = { name: "llama-cpp", defaultVersion: "2026.10.11549", buildNumber: "^(?:b|\\d{4}\\.\\d+\\.)(\\d+)$" };
const builds = ["b11434", "2026.9.11063", "2026.10.11549", "b11435"];

describe("resolveVersion", () => {
  it.each<[string | undefined, string, string]>([
    [undefined, "0.19.0", "its default"],
    ["0.19.1", "0.19.1", "named exactly"],
    ["v0.19.1", "0.19.1", "named exactly"],
    ["0.11.0", "v0.11.0", "named exactly"],
    ["0.20.0rc1", "0.20.0rc1", "named exactly"],
    ["0.19.x", "0.19.1", "the highest of 2 that satisfy 0.19.x"],
    [">=0.10 <0.12", "v0.11.0", "the highest of 2 that satisfy >=0.10 <0.12"],
    ["<0.11", "0.10.2", "the only one that satisfies <0.11"],
    ["*", "0.19.1", "the highest of 4 that satisfy *"],
    [">=0.20.0rc1", "0.20.0rc1", "the only one that satisfies >=0.20.0rc1"],
  ])("of %s takes %s: %s", (asked, version, reason) => {
    expect(resolveVersion(releases, asked, vllm, where)).toEqual({ version, reason });
  });

  it.each([
    ["*", "2026.10.11549"],
    ["<b11549", "b11435"],
    ["b11434", "b11434"],
    ["2026.9.x", "2026.9.11063"],
  ])("of %s takes the highest build, %s", (asked, version) => {
    expect(resolveVersion(builds, asked, llama, where).version).toBe(version);
  });

  it("takes the spelling that was asked for where a version has two", () => {
    expect(resolveVersion(["v1.0", "1.0"], "1.0", { name: "engine" }, where).version).toBe("1.0");
    expect(resolveVersion(["1.0", "v1.0"], "v1.0", { name: "engine" }, where).version).toBe("v1.0");
  });

  it("takes a version whose name could be a constraint", () => {
    expect(resolveVersion(["1.0", "1.x"], "1.x", { name: "engine" }, where).version).toBe("1.x");
  });

  it("takes the only version when the backend names no default", () => {
    expect(resolveVersion(["b1"], undefined, { name: "engine" }, where)).toEqual({
      version: "b1",
      reason: "its only version",
    });
  });

  it("lists the versions when there are several and the backend names no default", () => {
    const error = thrownBy(() => resolveVersion(builds, undefined, { ...llama, defaultVersion: undefined }, where));
    expect([error.code, error.message]).toEqual([
      "backend-unknown",
      [
        "deployment chat: the backend llama-cpp has no default version",
        "  expected: 2026.9.11063, b11434, b11435, 2026.10.11549",
        "  to do: choose one of these as `backendVersion`",
      ].join("\n"),
    ]);
  });

  it.each(["3.0", "constructor", "0.19.0-custom"])("says that there is no version %s, and which there are", (asked) => {
    const error = thrownBy(() => resolveVersion(releases, asked, vllm, where));
    expect([error.code, error.message]).toEqual([
      "backend-unknown",
      [
        "deployment chat: the backend vllm has no such version",
        `  got: ${asked}`,
        "  expected: 0.10.2, v0.11.0, 0.19.0, 0.19.1, 0.20.0rc1",
        "  to do: choose one of these, or add it to backends/vllm.yaml",
      ].join("\n"),
    ]);
  });

  it("says that nothing satisfies a constraint", () => {
    const error = thrownBy(() => resolveVersion(releases, ">=1 <2", vllm, where));
    expect(error.message).toContain("deployment chat: no version of the backend vllm satisfies this\n  got: >=1 <2\n");
  });

  it.each([
    [">=0.20", undefined],
    ["0.20.x", "only pre-releases satisfy it; name one to take it, such as 0.20.0rc1"],
    ["~=0.20.0rc2", undefined],
    ["0.19", "for the highest of them write 0.19.x"],
    ["0.1", undefined],
  ])("says of %s what it probably misses", (asked, hint) => {
    const error = thrownBy(() => resolveVersion(releases, asked, vllm, where));
    expect(error.parts.hint).toBe(hint ?? "choose one of these, or add it to backends/vllm.yaml");
  });

  const many = Array.from({ length: 30 }, (_, minor) => `0.${minor}.0`);

  it.each([
    ["0.20.1", "0.17.0, 0.18.0, 0.19.0, 0.20.0, 0.21.0, 0.22.0, 0.23.0, 0.24.0 (of 30)"],
    ["0.0", "0.0.0, 0.1.0, 0.2.0, 0.3.0, 0.4.0, 0.5.0, 0.6.0, 0.7.0 (of 30)"],
    [">=9", "0.22.0, 0.23.0, 0.24.0, 0.25.0, 0.26.0, 0.27.0, 0.28.0, 0.29.0 (of 30)"],
    ["0.20.1.x", "0.17.0, 0.18.0, 0.19.0, 0.20.0, 0.21.0, 0.22.0, 0.23.0, 0.24.0 (of 30)"],
  ])("lists of many versions those near to %s", (asked, versions) => {
    expect(thrownBy(() => resolveVersion(many, asked, vllm, where)).parts.expected).toBe(versions);
  });

  it("says where a constraint stands that cannot be read", () => {
    expect(thrownBy(() => resolveVersion(releases, ">=0.x", vllm, where)).message).toMatch(/^deployment chat: /);
  });

  it("takes what satisfies the constraint and what nothing that does is above, whatever the order of versions", () => {
    const version = fc.oneof(
      fc
        .tuple(fc.nat(3), fc.nat(3), fc.constantFrom("", "rc1", "+cu128", ".post1"))
        .map(([a, b, end]) => `${a}.${b}${end}`),
      fc.nat(9).map((number) => `b${number}`),
    );
    const versions = fc.uniqueArray(version, { minLength: 1, maxLength: 12 });
    const asked = fc.tuple(fc.constantFrom(">=", "<", "!="), version).map((parts) => parts.join(""));
    fc.assert(
      fc.property(versions, asked, fc.constantFrom(undefined, "^b(\\d+)$"), (available, text, buildNumber) => {
        const constraint = parseConstraint(text);
        const fitting = available.filter((candidate) => satisfies(candidate, constraint, buildNumber));
        const resolve = (list: string[]) => resolveVersion(list, text, { name: "engine", buildNumber }, where).version;
        if (fitting.length === 0) {
          expect(thrownBy(() => resolve(available)).code).toBe("backend-unknown");
          return;
        }
        const chosen = resolve(available);
        expect(fitting).toContain(chosen);
        expect(fitting.filter((other) => compareVersions(other, chosen, buildNumber) > 0)).toEqual([]);
        expect(resolve(available.toReversed())).toBe(chosen);
      }),
    );
  });
});
