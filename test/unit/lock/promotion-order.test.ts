import { describe, expect, it } from "vitest";

import { checkOrder, checkPromoter, type OrderProblem } from "../../../src/lock/promotion-order.js";
import { environmentsFile } from "../../../src/schema/environments.js";
import { thrownBy } from "../support/thrown.js";

const file = environmentsFile.parse({
  schemaVersion: 1,
  order: ["dev", "staging", "prod"],
  environments: { prod: { promoters: ["ada@example.net"] } },
});

const check = (changes: Partial<OrderProblem>) =>
  checkOrder({ file, from: "dev", to: "staging", email: "bob@example.net", reason: undefined, ...changes });
const ada = { email: "ada@example.net" };

describe("the order of environments", () => {
  it("lets a release go to the next one, which overrules nothing", () => {
    expect(check({})).toEqual([]);
    expect(check({ from: "staging", to: "prod", ...ada })).toEqual([]);
  });

  it.each([
    ["leaves one out", { from: "dev", to: "prod", ...ada }, "promotion-refused", "dev -> staging -> prod"],
    ["goes back", { from: "staging", to: "dev" }, "promotion-refused", "berth rollback"],
    ["goes nowhere", { from: "staging", to: "staging" }, "promotion-refused", "berth rollback"],
    ["goes back with a reason", { from: "prod", to: "dev", reason: "x" }, "promotion-refused", "berth rollback"],
    ["is somebody's who may not", { from: "staging", to: "prod" }, "promotion-refused", "bob@example.net"],
    ["is nobody's", { from: "staging", to: "prod", email: undefined }, "promotion-refused", "git does not tell"],
    ["is somebody's who may not, with a reason", { from: "dev", to: "prod", reason: "x" }, "promotion-refused", "bob"],
    ["names an environment that is none", { from: "test" }, "usage", "dev or staging or prod"],
    ["is of a project without such a file", { file: undefined }, "file-not-found", "order: [dev, staging]"],
  ] as const)("refuses a promotion that %s", (_, changes, code, told) => {
    const error = thrownBy(() => check(changes));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(told)]);
  });

  it("may be left for a reason, which is told", () => {
    expect(check({ from: "dev", to: "prod", reason: "incident 12", ...ada })).toEqual([
      "the order dev -> staging -> prod was left",
    ]);
  });
});

describe("who may change the releases of an environment", () => {
  it("is everybody where the file does not say, and nobody else where it does", () => {
    expect(() => checkPromoter(undefined, "prod", undefined)).not.toThrow();
    expect(() => checkPromoter(file, "staging", undefined)).not.toThrow();
    expect(() => checkPromoter(file, "prod", ada.email)).not.toThrow();
    for (const email of [undefined, "bob@example.net"])
      expect(thrownBy(() => checkPromoter(file, "prod", email)).code).toBe("promotion-refused");
  });
});
