import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { assertGateway, chooseBlueGreen, findHaproxy, type Rollout } from "../../../src/planner/rollout.js";
import { deploymentEntry } from "../../../src/schema/stack.js";
import type { Accelerator } from "../../../src/schema/facts.js";
import { plainMemory } from "../../../src/planner/way.js";
import type { PlacedMemory } from "../../../src/schema/placement.js";
import { chat } from "../support/problems.js";
import { thrownBy } from "../support/thrown.js";

const haproxy = { path: "/usr/sbin/haproxy", version: "2.6.12-1+deb12u4" };
const gb = 1_000_000_000;

function gpu(memoryBytes: number, unifiedMemory?: true): Accelerator {
  const uuid = `GPU-${memoryBytes}`;
  const accelerator = { type: "cuda", name: "GPU", index: 0, uuid, memoryBytes, driverVersion: "1" } as const;
  return unifiedMemory ? { ...accelerator, unifiedMemory } : accelerator;
}

interface Wish {
  strategy?: "blueGreen" | "recreate";
  maxSurge?: number;
  ramBytes?: number;
  vramBytes?: number;
}

function rollout(
  deployment: string,
  { strategy, maxSurge = 1, ...resources }: Wish,
  changes: Partial<Rollout> = {},
): Rollout {
  const { update } = deploymentEntry.parse(chat({ update: { maxSurge, ...(strategy && { strategy }) } }));
  const { facts = { haproxy, ramBytes: 8 * gb, accelerators: [] } } = changes;
  const memories = [memoryOf(resources, facts)];
  return {
    deployment,
    entry: { update },
    host: "local",
    memories,
    gateway: undefined,
    facts,
    taken: { ram: 0, devices: new Map() },
    before: false,
    ...changes,
  };
}

/** What a replica on the last accelerator takes, as its placement says. */
function memoryOf(
  { ramBytes, vramBytes }: Pick<Wish, "ramBytes" | "vramBytes">,
  { accelerators }: Pick<Rollout["facts"], "accelerators">,
): PlacedMemory | undefined {
  const device = accelerators.findLast(({ unifiedMemory }) => unifiedMemory !== true);
  const ram = ramBytes ?? 0;
  if (device !== undefined) {
    const each = [{ id: device.uuid, bytes: vramBytes ?? device.memoryBytes }];
    return plainMemory("sample", vramBytes === undefined ? "whole" : "stated", each, ram);
  }
  const isTold = ramBytes !== undefined || vramBytes !== undefined;
  return isTold ? plainMemory("sample", "stated", [], ram + (vramBytes ?? 0)) : undefined;
}

const times = (count: number, wish: Wish) => Array.from({ length: count }, () => memoryOf(wish, { accelerators: [] }));

const onGpus = (...accelerators: Accelerator[]) => ({ facts: { haproxy, ramBytes: 8 * gb, accelerators } });
const chosenOf = (rollouts: readonly Rollout[]) => [...chooseBlueGreen(rollouts)].map(({ deployment }) => deployment);
const isChosen = (wish: Wish, changes?: Partial<Rollout>) => chosenOf([rollout("chat", wish, changes)]).length === 1;

describe("chooseBlueGreen", () => {
  it.each<[string, Wish, Partial<Rollout>, boolean]>([
    ["says nothing", {}, {}, false],
    ["asks for it", { strategy: "blueGreen" }, {}, true],
    ["tells that two fit", { ramBytes: 4 * gb }, {}, true],
    ["tells that two do not fit", { ramBytes: 4 * gb + 1 }, {}, false],
    ["tells that two fit and wants none", { strategy: "recreate", ramBytes: gb }, {}, false],
    ["tells an accelerator's memory, of which the host has its own", { vramBytes: 4 * gb }, {}, true],
    ["tells that two fit on the accelerator", { vramBytes: 12 * gb }, onGpus(gpu(24 * gb)), true],
    ["tells that two do not fit on the accelerator", { vramBytes: 13 * gb }, onGpus(gpu(24 * gb)), false],
    [
      "has two accelerators, of which its own is too small",
      { vramBytes: 12 * gb },
      onGpus(gpu(80 * gb), gpu(16 * gb)),
      false,
    ],
    ["does not tell what it needs of the accelerator", { ramBytes: gb }, onGpus(gpu(24 * gb)), false],
    [
      "shares its memory with the accelerator",
      { ramBytes: 2 * gb, vramBytes: 3 * gb },
      onGpus(gpu(8 * gb, true)),
      false,
    ],
    ["has three replicas there, with room for one more", {}, { memories: times(3, { ramBytes: 2 * gb }) }, true],
    [
      "has three replicas there, updated two at a time",
      { maxSurge: 2 },
      { memories: times(3, { ramBytes: 2 * gb }) },
      false,
    ],
    ["has fewer replicas there than may be updated at a time", { ramBytes: 4 * gb, maxSurge: 2 }, {}, true],
    [
      "has an accelerator of which others have what the second runner would take",
      { vramBytes: 12 * gb },
      { ...onGpus(gpu(24 * gb)), taken: { ram: 0, devices: new Map([[`GPU-${24 * gb}`, gb]]) } },
      false,
    ],
    [
      "has a host that is to keep the memory of the second runner free",
      { ramBytes: 4 * gb },
      { taken: { ram: gb, devices: new Map() } },
      false,
    ],
    ["has a host without HAProxy", { ramBytes: gb }, { facts: { ramBytes: 8 * gb, accelerators: [] } }, false],
    ["has a host that is to have no gateway", { ramBytes: gb }, { gateway: "none" }, false],
  ])("for a deployment that %s", (_, wish, changes, chosen) => {
    expect(isChosen(wish, changes)).toBe(chosen);
  });

  it("counts what all deployments of a host need, and gives what is left to those that had it before", () => {
    const rollouts = (before: string) =>
      ["a", "b", "c"].map((name) => rollout(name, { ramBytes: 2 * gb }, { before: name === before }));
    expect(chosenOf(rollouts(""))).toEqual(["a"]);
    expect(chosenOf(rollouts("b"))).toEqual(["b"]);
    const elsewhere = rollout("z", { ramBytes: 2 * gb }, { host: "other" });
    expect(chosenOf([...rollouts("b"), elsewhere])).toEqual(["b", "z"]);
  });

  it.each<[string, Wish, Partial<Rollout>, RegExp]>([
    [
      "a host without HAProxy",
      {},
      { facts: { ramBytes: gb, accelerators: [] } },
      /no HAProxy.*got: none.*HAProxy 2\.4 or later.*install the package `haproxy`/s,
    ],
    [
      "a host with an old HAProxy",
      {},
      { facts: { haproxy: { path: "/x", version: "2.2.9" }, ramBytes: gb, accelerators: [] } },
      /got: \/x 2\.2\.9/,
    ],
    ["a host that is to have no gateway", {}, { gateway: "none" }, /gateway: none of host local/],
    ["a host whose memory is too small", { ramBytes: 5 * gb }, {}, /not enough memory for two runners/],
  ])("refuses what is asked for on %s", (_, wish, changes, message) => {
    const refused = thrownBy(() => isChosen({ strategy: "blueGreen", ...wish }, changes));
    expect(String(refused)).toMatch(message);
  });

  it("never plans more than a host's memory for what tells its need, and does not depend on the order", () => {
    const wishes = fc.array(fc.record({ ramBytes: fc.integer({ min: 0, max: 5 * gb }) }), { maxLength: 6 });
    fc.assert(
      fc.property(wishes, fc.infiniteStream(fc.nat()), (all, order) => {
        const rollouts = all.map((wish, index) => rollout(`d${index}`, wish));
        const chosen = new Set(chosenOf(rollouts));
        const once = all.reduce((sum, { ramBytes }) => sum + ramBytes, 0);
        const twice = all.reduce((sum, { ramBytes }, index) => sum + (chosen.has(`d${index}`) ? ramBytes : 0), once);
        expect(chosen.size === 0 || twice <= 8 * gb).toBe(true);
        const keys = new Map(rollouts.map((each) => [each, order.next().value ?? 0]));
        const shuffled = rollouts.toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0));
        expect(chosenOf(shuffled).sort()).toEqual([...chosen].sort());
      }),
    );
  });
});

describe("a host's gateway", () => {
  const known = (version: string) => ({
    gateway: undefined,
    facts: { haproxy: { path: "/x", version }, ramBytes: 1, accelerators: [] },
  });

  it.each([
    ["2.3.99", undefined],
    ["2.4.0", "/x"],
    ["2.10-dev1", "/x"],
    ["3.0.5", "/x"],
    ["1.9", undefined],
    ["unknown", undefined],
  ])("with HAProxy %s is %s", (version, path) => {
    expect(findHaproxy(known(version))).toBe(path);
  });

  it("is an error where the stack insists on one and there is none", () => {
    const facts = { ramBytes: 1, accelerators: [] };
    expect(() => assertGateway({ gateway: "haproxy", facts }, "host a")).toThrow(
      "the host has no HAProxy that can be its gateway",
    );
    assertGateway({ gateway: undefined, facts }, "host a");
  });
});
