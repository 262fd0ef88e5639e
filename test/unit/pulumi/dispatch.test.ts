import { describe, expect, it } from "vitest";

import { contractNumber, createDispatch, type Operation } from "../../../src/pulumi/dispatch.js";
import type { Handler } from "../../../src/pulumi/handler.js";
import { rejectionOf } from "../support/thrown.js";

/** A handler that answers with what it was asked. */
const echo = {
  check: (...args: unknown[]) => ["check", ...args],
  diff: (...args: unknown[]) => ["diff", ...args],
  create: (...args: unknown[]) => Promise.resolve(["create", ...args]),
  read: (...args: unknown[]) => Promise.resolve(["read", ...args]),
  update: (...args: unknown[]) => Promise.resolve(["update", ...args]),
  delete: (...args: unknown[]) => Promise.resolve(["delete", ...args]),
} as unknown as Handler;

const dispatch = createDispatch({ Host: echo, Instance: echo });
const [olds, news] = [{ a: 1 }, { a: 2 }];

describe("dispatch", () => {
  it.each<[Operation, unknown[], unknown[]]>([
    ["check", [olds, news], [olds, news]],
    ["diff", ["id", olds, news], [olds, news]],
    ["create", [news], [news]],
    ["read", ["id", olds], ["id", olds]],
    ["update", ["id", olds, news], [olds, news]],
    ["delete", ["id", olds], [olds]],
  ])("hands the arguments of Pulumi's %s to the kind's handler", async (operation, args, handed) => {
    expect(await dispatch(contractNumber, "Instance", operation, args)).toEqual([operation, ...handed]);
  });

  it("takes properties that Pulumi leaves out for none", async () => {
    expect(await dispatch(contractNumber, "Host", "check", [undefined, news])).toEqual(["check", {}, news]);
  });

  it.each<[number, string]>([
    [contractNumber + 1, "Host"],
    [0, "Host"],
    [contractNumber, "Gateway"],
    [contractNumber, "constructor"],
    [contractNumber, ""],
  ])("refuses contract %i and kind %j, and says what it knows", async (contract, kind) => {
    const error = await rejectionOf(dispatch(contract, kind, "check", [olds, news]));
    expect([error.code, error.message]).toEqual([
      "lock-incompatible",
      [
        "the state was written by a version of pulumi-berth that this one does not understand",
        `  got: contract ${contract}, kind ${kind}`,
        "  expected: contract 1, kind Host or Instance",
        "  to do: use the version of pulumi-berth that wrote the state, or a later one",
      ].join("\n"),
    ]);
  });
});
