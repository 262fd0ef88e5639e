import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { placesOf, sumOf } from "../../../../src/planner/report/places.js";
import type { SeenObject } from "../../../../src/planner/report/seen.js";
import type { Place } from "../../../../src/schema/plan.js";
import { deviceOf, fleetSeen, memoryOf } from "../../../support/plan-fleet.js";

const gib = 2 ** 30;
const fleet = fleetSeen();

function placeAt(places: readonly Place[], host: string, device: string): Place {
  const found = places.find((place) => place.host === host && place.device === device);
  if (found === undefined) throw new Error(`no device ${device} of ${host}`);
  return found;
}

const who = (occupants: Place["now"]) => occupants.map(({ instance, isNew }) => `${instance}${isNew ? "'" : ""}`);

function tell({ now, during, after }: Place) {
  return { now: who(now), during: who(during), after: who(after) };
}

/** Instances of one deployment on device 0 of h100-01, with so many GiB before and after. */
function changing(
  kind: "blueGreen" | "recreate" | "replace",
  replicas: readonly (readonly [before: number, after: number])[],
  pace?: string,
): Place {
  const device = deviceOf("h100-01", 0);
  const common = {
    deployment: "chat",
    host: "h100-01",
    devices: [device],
    ...{ version: "vllm 1", backend: "vllm", modelSha256: "a" },
    argv: [],
    ports: [14_000],
  };
  const objects = replicas.map(([before, after], number): SeenObject => ({
    ...{
      kind: "Instance",
      name: `chat-${number}`,
      host: "h100-01",
      change: "update",
      reasons: [],
      drift: [],
      fields: [],
    },
    instance: {
      before: { ...common, memory: memoryOf([device], before, 0, 0) },
      after: { ...common, memory: memoryOf([device], after, 0, 0) },
      strategy: { kind, downtime: "", downtimeSeconds: 0, ...(pace === undefined ? {} : { pace }) },
    },
  }));
  return placeAt(placesOf({ ...fleet, objects }), "h100-01", "0");
}

describe("who has which device", () => {
  const places = placesOf(fleet);

  it("tells of every device of every host", () => {
    expect(places).toHaveLength(64);
    expect(new Set(places.map(({ host }) => host)).size).toBe(8);
  });

  it("of an update beside the old runner: the old devices until it is over, the new ones from its start", () => {
    expect(tell(placeAt(places, "h100-01", "0"))).toEqual({ now: ["chat-0"], during: ["chat-0"], after: [] });
    expect(tell(placeAt(places, "h100-01", "4"))).toEqual({ now: [], during: ["chat-0'"], after: ["chat-0'"] });
    expect(sumOf(placeAt(places, "h100-01", "4").after)).toBeCloseTo(71.7 * gib, -1);
  });

  it("of something new, and of something that stays", () => {
    expect(tell(placeAt(places, "h100-06", "0"))).toEqual({ now: [], during: ["vision-1"], after: ["vision-1"] });
    expect(tell(placeAt(places, "mi300x-02", "0"))).toEqual({ now: ["code-1"], during: ["code-1"], after: ["code-1"] });
  });

  it("counts what others use as taken", () => {
    const { foreign, foreignBytes } = placeAt(places, "h100-05", "7");
    expect(foreign).toEqual([{ pid: 41_822, name: "python3", bytes: Math.round(3.1 * gib) }]);
    expect(foreignBytes).toBe(Math.round(3.1 * gib));
  });

  it("counts what nobody tells the owner of as foreign, without what the instances have", () => {
    const host = fleet.hosts["mi300x-01"];
    if (host?.reachable !== true) throw new Error("no host");
    const accelerators = [0, 1].map((index) => ({ uuid: deviceOf("mi300x-01", index), memoryUsedBytes: 30 * gib }));
    const hosts = { ...fleet.hosts, "mi300x-01": { ...host, usage: { ...host.usage, accelerators } } };
    const seen = placesOf({ ...fleet, hosts });
    expect(placeAt(seen, "mi300x-01", "1").foreignBytes).toBe(30 * gib);
    expect(placeAt(seen, "mi300x-01", "0").foreignBytes / gib).toBeCloseTo(30 - 20.8, 5);
  });

  it("of a host that does not answer is as the lock knew it", () => {
    const hosts = { ...fleet.hosts, "mi300x-01": { reachable: false as const, problem: "no route to host" } };
    expect(tell(placeAt(placesOf({ ...fleet, hosts }), "mi300x-01", "0"))).toMatchObject({ now: ["code-0"] });
  });

  it("tells of a device that is not there any more", () => {
    const host = fleet.hosts["mi300x-01"];
    if (host?.reachable !== true) throw new Error("no host");
    const facts = { ...host.facts, accelerators: host.facts.accelerators.slice(1) };
    const seen = placesOf({ ...fleet, hosts: { ...fleet.hosts, "mi300x-01": { ...host, facts } } });
    const lost = placeAt(seen, "mi300x-01", deviceOf("mi300x-01", 0));
    expect(lost).toMatchObject({ title: "not seen on the host", now: [{ instance: "code-0" }] });
    expect(lost.bytes).toBeUndefined();
  });

  it("of an instance without devices tells of the host's memory", () => {
    const replica = {
      deployment: "chat",
      host: "h100-01",
      devices: [],
      version: "x 1",
      backend: "x",
      modelSha256: "a",
      argv: [],
      ports: [1],
    };
    const objects: SeenObject[] = [
      {
        ...{ kind: "Instance", name: "chat-0", change: "same", reasons: [], drift: [], fields: [] },
        instance: { before: replica, after: replica },
      },
    ];
    const [memory] = placesOf({ ...fleet, objects }).filter(({ device }) => device === undefined);
    expect(memory).toMatchObject({ host: "h100-01", bytes: 1024 * gib, now: [{ instance: "chat-0" }] });
    expect(memory?.now[0]?.bytes).toBeUndefined();
  });
});

describe("the worst moment of an up", () => {
  const sum = (place: Place) => Math.round(sumOf(place.during) / gib);

  it("has both runners of an update beside the old one, of as many as change at a time", () => {
    expect(
      sum(
        changing("blueGreen", [
          [20, 22],
          [20, 22],
        ]),
      ),
    ).toBe(84);
    expect(
      sum(
        changing(
          "blueGreen",
          [
            [20, 22],
            [20, 24],
          ],
          "1 at a time",
        ),
      ),
    ).toBe(20 + 22 + 24);
  });

  it("has the greater of the old and the new runner where the old one stops first", () => {
    expect(
      sum(
        changing("recreate", [
          [20, 30],
          [30, 20],
        ]),
      ),
    ).toBe(60);
    expect(sum(changing("replace", [[20, 30]]))).toBe(30);
  });

  it("is told to be too much where a device has less", () => {
    expect(changing("blueGreen", [[50, 50]]).isOverfull).toBe(true);
    expect(changing("recreate", [[50, 50]]).isOverfull).toBe(false);
  });

  it("never has less than now or after", () => {
    const replicas = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 5,
    });
    const kinds = fc.constantFrom("blueGreen" as const, "recreate" as const, "replace" as const);
    fc.assert(
      fc.property(kinds, replicas, fc.constantFrom(undefined, "1 at a time", "2 at a time"), (kind, sizes, pace) => {
        const { now, during, after } = changing(kind, sizes, pace);
        expect(sumOf(during)).toBeGreaterThanOrEqual(Math.max(sumOf(now), sumOf(after)));
        expect(sumOf(during)).toBeLessThanOrEqual(sumOf(now) + sumOf(after));
      }),
    );
  });
});
