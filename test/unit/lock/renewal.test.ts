import { describe, expect, it } from "vitest";

import { buildLock } from "../../../src/lock/build.js";
import { offlineQuestions } from "../../../src/lock/offline.js";
import type { StackFile } from "../../../src/schema/stack.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges, resolvedBy } from "../support/edges.js";
import { chat, stackOf } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";

const stack = stackOf({ one: chat(), other: chat() });
const problemOf = (wanted: StackFile, defaultVersion: string) => ({
  owner: "shop/dev",
  stack: wanted,
  written: wanted,
  catalogue: catalogueOf([engineBackend({ defaultVersion })]),
  previous: undefined,
  resolved: {},
});

/** A lock from before the catalogue's default version became another one. */
async function before() {
  const { lock } = await buildLock(problemOf(stack, "1.0"), fakeEdges());
  return { ...problemOf(stack, "2.0"), previous: lock, resolved: resolvedBy(lock.release) };
}

const versions = async (problem: Parameters<typeof buildLock>[0]) => {
  const { lock } = await buildLock(problem, fakeEdges());
  return Object.values(lock.release).map(({ backendVersion }) => backendVersion);
};

describe("a lock that is solved anew", () => {
  it("keeps the versions that it had, unless they are asked for anew: of some deployments, or of all", async () => {
    const problem = await before();
    expect(await versions(problem)).toEqual(["1.0", "1.0"]);
    expect(await versions({ ...problem, renewed: ["one"] })).toEqual(["2.0", "1.0"]);
    expect(await versions({ ...problem, renewed: "all" })).toEqual(["2.0", "2.0"]);
  });

  it("leaves instances where they were, with their ports", async () => {
    const problem = await before();
    const { lock } = await buildLock({ ...problem, renewed: "all" }, fakeEdges());
    const placeOf = (placement: typeof lock.placement) =>
      Object.values(placement.instances).map(({ host, port }) => [host, port]);
    expect(placeOf(lock.placement)).toEqual(placeOf(problem.previous.placement));
  });
});

describe("a lock that is solved offline", () => {
  const offline = () => ({ ...fakeEdges(), ...offlineQuestions });
  const wheels = (version: string) => {
    const sha256 = "a".repeat(64);
    return stackOf({ chat: chat({ model: { source: "wheels", packages: [`m==${version}`], sha256 } }) });
  };

  it("is solved of what was locked before", async () => {
    const { lock } = await buildLock(problemOf(wheels("1"), "1.0"), fakeEdges());
    const problem = { ...problemOf(wheels("1"), "1.0"), previous: lock, resolved: resolvedBy(lock.release) };
    expect((await buildLock(problem, offline())).lock).toEqual(lock);
  });

  it("is refused when something is not known, with what", async () => {
    const error = await rejectionOf(buildLock(problemOf(wheels("2"), "1.0"), offline()));
    expect([error.code, error.message]).toEqual([
      "offline",
      expect.stringContaining("the wheel of m 2 is not known yet"),
    ]);
  });
});
