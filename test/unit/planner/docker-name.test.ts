import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { dockerName } from "../../../src/planner/docker-name.js";

const pulumiName = fc.string({ unit: fc.constantFrom("a", "B", "0", "_", ".", "-"), minLength: 1, maxLength: 6 });
const berthName = fc.string({ unit: fc.constantFrom("a", "0", "-"), minLength: 1, maxLength: 4 });
const owner = fc.record({ project: pulumiName, stack: pulumiName, host: berthName, key: berthName });

describe("the name of a network or volume in Docker", () => {
  it.each([
    [{ project: "shop", stack: "dev", host: "gpu-01", key: "cache" }, "berth_shop_dev_gpu-01_cache"],
    [{ project: "my_shop", stack: "v1.2", host: "gpu-01", key: "cache" }, "berth_my._shop_v1..2_gpu-01_cache"],
  ])("says whose it is: %j", (whose, name) => {
    expect(dockerName(whose)).toBe(name);
  });

  it("is another one for another project, stack, host or key, and one that Docker takes", () => {
    fc.assert(
      fc.property(owner, owner, (one, other) => {
        expect(dockerName(one)).toMatch(/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/);
        expect(dockerName(one) === dockerName(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
    );
    const halves = { host: "h", key: "k" };
    const names = ["a_/b", "a/_b", "a/b", "a_b/c", "a/b_c", "a./b", "a/.b"].map((text) => {
      const [project = "", stack = ""] = text.split("/");
      return dockerName({ project, stack, ...halves });
    });
    expect(new Set(names).size).toBe(names.length);
  });
});
