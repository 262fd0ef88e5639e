import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { assertPython } from "../../../src/install/python.js";
import { thrownBy } from "../support/thrown.js";

describe("assertPython", () => {
  const check = (version: string, wanted: string) =>
    assertPython({ path: "/usr/bin/python3", version }, wanted, "host local: vllm 0.19.0");

  it.each([
    ["3.11.2", ">=3.10"],
    ["3.10.0", ">=3.10 <3.13"],
    ["3.12.99", ">=3.10,<3.13"],
    ["3.12.5", ">= 3.10, < 3.13"],
    ["3.12.5", "<=3.12"],
    ["3.11.2", "3.11"],
    ["3.11.2", "==3.11.*"],
    ["3.11.2", "3.11.x"],
    ["3.11.2", ">=3.9,!=3.10.*"],
    ["3.14.0", "~=3.10"],
    ["3.10.9", "~=3.10.2"],
    ["3.13.0rc1", ">=3.13"],
    ["3.12.0+", "<3.13"],
    ["3.11.2", "*"],
    ["3.11.2", ""],
  ])("takes %s for %s", (version, wanted) => {
    expect(() => check(version, wanted)).not.toThrow();
  });

  it.each([
    ["3.9.18", ">=3.10"],
    ["3.13.0", ">=3.10 <3.13"],
    ["3.13.0rc1", ">=3.10,<3.13"],
    ["3.10.4", "3.11"],
    ["3.10.4", ">=3.9,!=3.10.*"],
    ["3.10.4", ">=3.9 != 3.10"],
    ["4.0.0", "~=3.10"],
    ["3.11.0", "~=3.10.2"],
    ["unknown", ">=3.10"],
  ])("refuses %s for %s, and names both", (version, wanted) => {
    const error = thrownBy(() => check(version, wanted));
    expect(error.code).toBe("host-unsuitable");
    expect(error.parts).toMatchObject({
      where: "host local: vllm 0.19.0",
      got: `Python ${version} (/usr/bin/python3)`,
      expected: `Python ${wanted}`,
    });
  });

  it.each(["three", ">=3.10 || <3", "=>3.10", "3.10 - 3.12", ">=3.10; rm", "~=", ">=3.10.1.2.3"])(
    "says that `%s` is no constraint",
    (wanted) => {
      const error = thrownBy(() => check("3.11.2", wanted));
      expect(error.code).toBe("file-invalid");
      expect(error.parts.got).toBe(wanted);
    },
  );

  it("compares by number, not by letter", () => {
    const minor = fc.integer({ min: 0, max: 30 });
    fc.assert(
      fc.property(minor, minor, minor, (found, from, below) => {
        const holds = () => check(`3.${found}.1`, `>=3.${from} <3.${below}`);
        if (found >= from && found < below) expect(holds).not.toThrow();
        else expect(holds).toThrow();
      }),
    );
  });
});
