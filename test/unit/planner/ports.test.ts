import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { assignPorts, type PortRequest } from "../../../src/planner/ports.js";
import { thrownBy } from "../support/thrown.js";

const request = (deployment: string, changes: Partial<PortRequest> = {}): PortRequest => ({
  name: deployment,
  order: 0,
  deployment,
  host: "local",
  machine: "local",
  range: [14_000, 14_002],
  asked: undefined,
  before: undefined,
  listening: [],
  claims: [],
  ...changes,
});
const assign = (...requests: PortRequest[]) => Object.fromEntries(assignPorts(requests));

describe("assignPorts", () => {
  it("gives the lowest free ports in the order of names, whatever the order of the requests", () => {
    expect(assign(request("c"), request("a"), request("b"))).toEqual({ a: 14_000, b: 14_001, c: 14_002 });
  });

  it("passes over ports that something listens on", () => {
    expect(assign(request("a", { listening: [14_000, 14_001] }))).toEqual({ a: 14_002 });
  });

  it("keeps what a deployment had, also while it listens there itself", () => {
    expect(assign(request("a"), request("b", { before: 14_000, listening: [14_000] }))).toEqual({
      a: 14_001,
      b: 14_000,
    });
  });

  it("passes over ports that other instances have, and leaves one that another stack has by now", () => {
    const theirs = { port: 14_000, owner: "shop/prod", instance: "chat-0", foreign: true };
    const ours = { port: 14_001, owner: "shop/dev", instance: "old-0", foreign: false };
    expect(assign(request("a", { claims: [theirs, ours] }))).toEqual({ a: 14_002 });
    expect(assign(request("a", { before: 14_000, claims: [theirs] }))).toEqual({ a: 14_001 });
    expect(assign(request("a", { before: 14_001, claims: [ours] }))).toEqual({ a: 14_001 });
  });

  it("refuses to give a port that the stack asks for and another stack has, and names whose it is", () => {
    const claim = { port: 8080, owner: "shop/prod", instance: "chat-0", foreign: true };
    const error = thrownBy(() => assign(request("a", { asked: 8080, claims: [claim] })));
    expect([error.code, error.message]).toEqual([
      "already-claimed",
      [
        "deployment a: another stack's instance has the port on host local",
        "  got: port 8080 of shop/prod, chat-0",
        "  expected: a port that nobody has",
        "  to do: name another `port`, or none, and one is chosen",
      ].join("\n"),
    ]);
    expect(assign(request("a", { asked: 8080, claims: [{ ...claim, foreign: false }] }))).toEqual({ a: 8080 });
  });

  it("does not keep what lies outside a range that was changed", () => {
    expect(assign(request("a", { before: 13_999 }), request("b", { before: 14_003 }))).toEqual({
      a: 14_000,
      b: 14_001,
    });
  });

  it("gives a port that the stack asks for, in the range or not, used or not", () => {
    expect(
      assign(request("a", { asked: 80, listening: [80] }), request("b", { asked: 14_001, before: 14_000 })),
    ).toEqual({ a: 80, b: 14_001 });
  });

  it("takes a port that the stack asks for from the deployment that had it, and moves no other", () => {
    const requests = [
      request("a", { before: 14_000 }),
      request("b", { before: 14_001 }),
      request("new", { asked: 14_000 }),
    ];
    expect(assign(...requests)).toEqual({ a: 14_002, b: 14_001, new: 14_000 });
  });

  it("lets one port be had by two hosts that are two machines, and not by two on one machine", () => {
    const other = { host: "other", machine: "other" };
    expect(assign(request("a"), request("b", other))).toEqual({ a: 14_000, b: 14_000 });
    expect(assign(request("a"), request("b", { ...other, machine: "local" }))).toEqual({ a: 14_000, b: 14_001 });
  });

  it("lets one of two deployments keep a port that a lock edited by hand gives to both", () => {
    expect(assign(request("a", { before: 14_001 }), request("b", { before: 14_001 }))).toEqual({
      a: 14_001,
      b: 14_000,
    });
  });

  it("refuses a port that two deployments of a host ask for", () => {
    const error = thrownBy(() => assign(request("a", { asked: 80 }), request("b", { asked: 80 })));
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      [
        "deployment b: another deployment of this host has the port",
        "  got: 80",
        "  expected: a free port",
        "  to do: give one of them another `port`",
      ].join("\n"),
    ]);
  });

  it("refuses a port that several replicas of a deployment on one machine ask for", () => {
    const replica = (number: number, changes: Partial<PortRequest> = {}) =>
      request("a", { name: `a-${number}`, asked: 80, ...changes });
    expect(assign(replica(0), replica(1, { host: "other", machine: "other" }))).toEqual({ "a-0": 80, "a-1": 80 });
    expect(thrownBy(() => assign(replica(0), replica(1))).message).toBe(
      [
        "deployment a: several of its replicas are on host local, or on one machine with it, and a port is for one",
        "  got: 80",
        "  expected: a free port",
        "  to do: leave `port` out, or have no more `replicas` than hosts",
      ].join("\n"),
    );
  });

  it("gives the lowest ports to those that come first", () => {
    expect(assign(request("a-10", { order: 2 }), request("a-9", { order: 1 }))).toEqual({
      "a-9": 14_000,
      "a-10": 14_001,
    });
  });

  it("refuses when the range is used up", () => {
    const listening = [14_001];
    const error = thrownBy(() => assign(...["a", "b", "c"].map((name) => request(name, { listening }))));
    expect([error.code, error.message]).toEqual([
      "stack-inconsistent",
      [
        "deployment c: host local has no free port",
        "  got: all of 14000 to 14002 are taken",
        "  expected: a free port",
        "  to do: widen the host's `portRange`",
      ].join("\n"),
    ]);
  });

  const port = fc.integer({ min: 14_000, max: 14_030 });
  const requests = fc
    .uniqueArray(
      fc.record({
        deployment: fc.string({ unit: fc.constantFrom("a", "b", "c", "-"), minLength: 1, maxLength: 4 }),
        machine: fc.constantFrom("one", "two"),
        before: fc.option(port, { nil: undefined }),
        listening: fc.array(port, { maxLength: 3 }),
        claims: fc.array(
          fc.record({ port, owner: fc.constant("shop/prod"), instance: fc.constant("x-0"), foreign: fc.boolean() }),
          { maxLength: 3 },
        ),
      }),
      { selector: ({ deployment }) => deployment, maxLength: 8 },
    )
    .map((all) =>
      all.map((each) => request(each.deployment, { ...each, host: each.machine, range: [14_000, 14_030] })),
    );
  const keep = (all: readonly PortRequest[], ports: ReadonlyMap<string, number>) =>
    all.map((each) => ({ ...each, before: ports.get(each.deployment) }));

  it("never gives a port of a machine twice, and always one of the range that nothing else listens on or has", () => {
    fc.assert(
      fc.property(requests, (all) => {
        const ports = assignPorts(all);
        const given = all.map(({ machine, deployment }) => `${machine} ${ports.get(deployment) ?? ""}`);
        expect(new Set(given).size).toBe(all.length);
        for (const { deployment, before, listening, claims } of all) {
          const got = ports.get(deployment) ?? 0;
          expect(got >= 14_000 && got <= 14_030).toBe(true);
          expect(claims.filter(({ foreign }) => foreign).map((claim) => claim.port)).not.toContain(got);
          if (got !== before) expect([...listening, ...claims.map((claim) => claim.port)]).not.toContain(got);
        }
      }),
    );
  });

  it("is the same for any order, and a fixed point: its own result as what was before changes nothing", () => {
    fc.assert(
      fc.property(requests, (all) => {
        const ports = assignPorts(all);
        const sorted = (map: ReadonlyMap<string, number>) => [...map].sort();
        expect(sorted(assignPorts(all.toReversed()))).toEqual(sorted(ports));
        expect(sorted(assignPorts(keep(all, ports)))).toEqual(sorted(ports));
      }),
    );
  });

  it("moves nobody when a deployment is added or taken away", () => {
    fc.assert(
      fc.property(requests, fc.nat(), (all, choice) => {
        const ports = assignPorts(all);
        const added = request("added", { range: [14_000, 14_030], machine: "one" });
        const more = assignPorts([added, ...keep(all, ports)]);
        for (const [name, had] of ports) expect(more.get(name)).toBe(had);
        const fewer = assignPorts(keep(all, ports).filter((_, index) => index !== choice % (all.length + 1)));
        for (const [name, has] of fewer) expect(has).toBe(ports.get(name));
      }),
    );
  });
});
