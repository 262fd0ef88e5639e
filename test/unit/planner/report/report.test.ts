import { describe, expect, it } from "vitest";

import { planReport } from "../../../../src/planner/report/report.js";
import type { Seen, SeenObject } from "../../../../src/planner/report/seen.js";
import { planReport as schema } from "../../../../src/schema/plan.js";
import { fleetSeen, settledSeen } from "../../../support/plan-fleet.js";

const report = planReport(fleetSeen());

function withObjects(change: (object: SeenObject) => SeenObject, more: Partial<Seen> = {}) {
  const seen = fleetSeen();
  return planReport({ ...seen, objects: seen.objects.map(change), ...more });
}

describe("the report of a plan", () => {
  it("is what its schema says", () => {
    expect(schema.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  it("is the same in whatever order the preview tells", () => {
    const seen = fleetSeen();
    expect(planReport({ ...seen, objects: seen.objects.toReversed() })).toEqual(report);
  });

  it("is pending where objects change, or the lock would be written", () => {
    expect(report.isPending).toBe(true);
    expect(planReport(settledSeen()).isPending).toBe(false);
    expect(planReport({ ...settledSeen(), isNewLock: true }).isPending).toBe(true);
  });

  it("counts objects, and tells only of those that change", () => {
    expect(report.counts).toEqual({ create: 10, update: 5, replace: 0, delete: 0, same: 13 });
    expect(report.objects).toHaveLength(15);
    expect(report.objects.map(({ change }) => change)).not.toContain("same");
    expect(planReport(settledSeen())).toMatchObject({ objects: [], fetches: [], failure: [] });
  });

  it("tells of each deployment what becomes of it and why", () => {
    expect(report.deployments).toMatchObject([
      {
        ...{ name: "chat", change: "update", versions: { before: ["vllm 0.17.1"], after: ["vllm 0.19.0"] } },
        replicas: { before: 4, after: 4 },
        reasons: ["vllm 0.17.1 -> vllm 0.19.0", "the runner is started again: backendVersion, installation, argv"],
        arguments: [
          {
            instances: ["chat-0", "chat-1", "chat-2", "chat-3"],
            removed: ["--gpu-memory-utilization", "0.9"],
            added: ["--kv-cache-memory-bytes", "36614596198"],
          },
        ],
      },
      { name: "code", change: "repair", reasons: ["drift: code-1 its runner is stopped (exited)"], arguments: [] },
      { name: "vision", change: "create", replicas: { before: 0, after: 2 } },
    ]);
    const moved = report.deployments.flatMap(({ instances }) => instances.filter(({ isMoved }) => isMoved));
    expect(moved.map(({ name }) => name)).toEqual(["chat-0", "chat-1", "chat-2", "chat-3"]);
  });

  it("tells what is fetched, once for all hosts, and of a repair nothing of what lies there", () => {
    const of = (...hosts: string[]) => ({ hosts, there: [] });
    expect(report.fetches).toEqual([
      { kind: "model", what: "acme/sglang-custom@ccccccc", bytes: 16_600_000_000, ...of("h100-05", "h100-06") },
      { kind: "backend", what: "sglang-custom 0.5.10", bytes: 11_200_000_000, ...of("h100-05", "h100-06") },
      {
        ...{ kind: "backend", what: "vllm 0.19.0", bytes: 11_200_000_000 },
        ...of("h100-01", "h100-02", "h100-03"),
        there: ["h100-04"],
      },
    ]);
  });

  it("tells how each way to change ends when it fails", () => {
    expect(report.failure.map((text) => text.split(":")[0])).toEqual(["create", "blueGreen", "repair"]);
  });

  it("has found everything well", () => {
    expect(report.unknown).toEqual([]);
    expect(report.checked).toEqual([
      "8 of 8 hosts answer",
      "Pulumi's preview looked at 28 objects on their hosts",
      "the preview and the lock place every replica alike",
      "20 placed devices are there",
      "no device holds more than it has, at any moment, of what is known",
      "2 new ports are free",
      "there is room on the disks for what is fetched, as far as its size is known",
    ]);
  });
});

describe("what a plan tells to be unknown, or not well", () => {
  it("is a host that does not answer", () => {
    const { hosts } = fleetSeen();
    const { unknown, hosts: told } = planReport({
      ...fleetSeen(),
      hosts: { ...hosts, "mi300x-02": { reachable: false, problem: "no route to host\n  to do: look" } },
    });
    expect(unknown).toEqual(["mi300x-02 does not answer: no route to host"]);
    expect(told.find(({ name }) => name === "mi300x-02")?.problem).toContain("no route to host");
  });

  it("is a stack that Pulumi does not have", () => {
    expect(planReport({ ...fleetSeen(), hasState: false }).unknown).toEqual([
      "Pulumi has no such stack yet: what hosts already have of it is not compared",
    ]);
  });

  it("is a preview that places replicas otherwise than the lock", () => {
    const moved = withObjects((object) =>
      object.name === "vision-1" && object.instance?.after !== undefined
        ? { ...object, instance: { ...object.instance, after: { ...object.instance.after, host: "h100-04" } } }
        : object,
    );
    expect(moved.unknown.join()).toContain("the preview places vision-1 otherwise than the lock; plan again");
  });

  it("is a device that the host does not have", () => {
    const lost = withObjects((object) =>
      object.name === "vision-1" && object.instance?.after !== undefined
        ? { ...object, instance: { ...object.instance, after: { ...object.instance.after, devices: ["GPU-gone"] } } }
        : object,
    );
    expect(lost.unknown).toContain("h100-06 does not have device GPU-gone, which vision-1 is to have");
  });

  it("is a port on which something listens", () => {
    const { hosts } = fleetSeen();
    const host = hosts["h100-05"];
    if (host?.reachable !== true) throw new Error("no host");
    const busy = { ...host, usage: { ...host.usage, listeningPorts: [14_000] } };
    expect(planReport({ ...fleetSeen(), hosts: { ...hosts, "h100-05": busy } }).unknown).toEqual([
      "h100-05: something listens on port 14000, which vision-0 is to have",
    ]);
  });

  it("is how much memory something takes, and a device that would hold too much", () => {
    const seen = withObjects((object) => {
      const { instance } = object;
      if (instance?.after === undefined) return object;
      const { memory: _, ...rest } = instance.after;
      if (object.name === "code-0") return { ...object, instance: { before: rest, after: rest } };
      if (object.name !== "vision-0") return object;
      const { memory } = instance.after;
      if (memory === undefined) throw new Error("no memory");
      const devices = memory.devices.map((device) => ({ ...device, takenBytes: 90 * 2 ** 30 }));
      return { ...object, instance: { ...instance, after: { ...instance.after, memory: { ...memory, devices } } } };
    });
    expect(seen.unknown).toEqual(["h100-05 device 0 would hold more than it has", "how much memory code takes"]);
    expect(seen.checked.join()).not.toContain("no device holds more");
  });

  it("is the size of what no lock tells", () => {
    const seen = fleetSeen();
    const { vision } = seen.lock.release;
    if (vision === undefined) throw new Error("no release");
    const model = { ...vision.model, from: { source: "url" as const, url: "https://a.example/m" }, file: "m.gguf" };
    const lock = { ...seen.lock, release: { ...seen.lock.release, vision: { ...vision, model } } };
    expect(planReport({ ...seen, lock }).unknown).toContain("the size of 2 of 7 downloads");
    const known = withObjects(
      (object) => (object.kind === "ModelFiles" ? { ...object, model: { sha256: "c".repeat(64), bytes: 7 } } : object),
      { lock },
    );
    expect(known.unknown.join()).not.toContain("the size of");
    expect(known.fetches.find(({ kind }) => kind === "model")).toMatchObject({ bytes: 7 });
  });
});
