import type * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";

import type { DesiredInstance } from "../../../src/planner/desired.js";
import { byWave, hostsOfRun, WaveOrder } from "../../../src/pulumi/wave-order.js";

/** An instance of a wave, as far as its order goes, and a resource that stands for it. */
const instance = (name: string, host: string, wave?: number) =>
  ({ name, placed: { host }, rollout: wave === undefined ? undefined : { wave } }) as DesiredInstance;
const resource = (name: string) => ({ name }) as unknown as pulumi.Resource;

describe("the order of waves", () => {
  it("makes an instance wait for all of the wave before, with what checks them", () => {
    const order = new WaveOrder(undefined);
    const a = resource("a");
    const check = resource("check");
    const b = resource("b");
    const c = resource("c");
    expect(order.before(instance("a-0", "a", 1))).toEqual([]);
    order.add(instance("a-0", "a", 1), [a, check]);
    order.add(instance("b-0", "b", 1), [b]);
    order.add(instance("c-0", "c", 2), [c]);
    expect(order.before(instance("d-0", "d", 2))).toEqual([a, check, b]);
    expect(order.before(instance("e-0", "e", 3))).toEqual([c]);
  });

  it("makes nobody wait without a rollout, nor for hosts that the run is not about", () => {
    const order = new WaveOrder(new Set(["b"]));
    order.add(instance("a-0", "a", 1), [resource("a")]);
    expect(order.before(instance("b-0", "b", 2))).toEqual([]);
    order.add(instance("x-0", "b"), [resource("x")]);
    expect(order.before(instance("y-0", "b"))).toEqual([]);
    expect([order.isMeant("a"), order.isMeant("b"), new WaveOrder(undefined).isMeant("a")]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("makes an instance wait for those that give up what it is to get, unless the run is not about them", () => {
    const given = resource("given");
    const check = resource("check");
    const before = (meant: ReadonlySet<string> | undefined) => {
      const order = new WaveOrder(meant, [["b-0", "a-0"]]);
      order.add(instance("a-0", "a"), [given, check]);
      return [order.before(instance("b-0", "b")), order.before(instance("c-0", "b"))];
    };
    expect(before(undefined)).toEqual([[given, check], []]);
    expect(before(new Set(["b"]))).toEqual([[], []]);
  });

  it("has those that give something up before those that get it, each with its place in the list", () => {
    const listed = [instance("a-0", "a"), instance("b-0", "a"), instance("c-0", "a")];
    expect(byWave(listed, [["a-0", "c-0"]]).map(([index, { name }]) => [index, name])).toEqual([
      [2, "c-0"],
      [0, "a-0"],
      [1, "b-0"],
    ]);
  });

  it("has instances of earlier waves first, and keeps their places in the list", () => {
    const listed = [instance("a-0", "z", 2), instance("a-1", "a", 1), instance("b-0", "a", 1)];
    expect(byWave(listed).map(([index, { name }]) => [index, name])).toEqual([
      [1, "a-1"],
      [2, "b-0"],
      [0, "a-0"],
    ]);
  });

  it("is told by the environment which hosts a run is about", () => {
    expect(hostsOfRun({})).toBeUndefined();
    expect(hostsOfRun({ BERTH_HOSTS: "" })).toBeUndefined();
    expect(hostsOfRun({ BERTH_HOSTS: "a,b" })).toEqual(new Set(["a", "b"]));
  });
});
