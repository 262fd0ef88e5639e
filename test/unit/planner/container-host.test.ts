import { describe, expect, it } from "vitest";

import { desiredStack } from "../../../src/planner/desired.js";
import { place, type PlacementProblem } from "../../../src/planner/placement.js";
import type { HostFacts } from "../../../src/schema/facts.js";
import type { WrittenStack } from "../support/stacks.js";
import { chat, knownHost, problemOf, stackOf } from "../support/problems.js";

const digest = `sha256:${"a".repeat(64)}`;
const docker: Partial<HostFacts> = { containerEngine: { engine: "docker", version: "20.10.24", apiVersion: "1.41" } };

/** The sample deployment, whose version is an image. */
function imageProblem(facts: Partial<HostFacts>, changes: Partial<WrittenStack> = {}): PlacementProblem {
  const stack = stackOf({ chat: chat() }, changes);
  const { release, ...problem } = problemOf(stack, { hosts: { local: knownHost("/srv/local", { facts }) } });
  const { chat: process } = release;
  if (process === undefined) throw new Error("the problem has a deployment");
  const install = { method: "image", reference: "ghcr.io/team/engine:v1", digest } as const;
  return { ...problem, release: { chat: { ...process, install, entrypoint: "engine serve" } } };
}

describe("a backend version that is an image", () => {
  it("runs in a container of a host with Docker, whatever keeps the host's processes alive", () => {
    const { instances } = place(imageProblem({ ...docker, initSystem: "systemd" }));
    expect(instances["chat-0"]?.runtime).toBe("docker");
  });

  it.each<[string, Partial<HostFacts>, string]>([
    ["no engine", {}, "got: no container engine"],
    ["Podman", { containerEngine: { engine: "podman", version: "4.3.1" } }, "got: podman 4.3.1"],
  ])("is refused on a host with %s", (_, facts, got) => {
    expect(() => place(imageProblem(facts))).toThrow(got);
    expect(() => place(imageProblem(facts))).toThrow("has no Docker Engine that answers");
  });

  it.each([
    ["is too old", { version: "19.03.15", apiVersion: "1.40" }, "install a newer Docker Engine on the host"],
    ["this user may not use", { version: "unknown" }, "usermod --append --groups docker USER"],
  ])("is refused on a host whose Docker %s, with what to do", (what, engine, hint) => {
    const problem = { what, hint };
    const facts: Partial<HostFacts> = { containerEngine: { engine: "docker", ...engine, problem } };
    for (const said of [what, hint, engine.version]) expect(() => place(imageProblem(facts))).toThrow(said);
  });

  it("is pulled and run by its digest, from where the stack's mirrors have it", () => {
    const problem = imageProblem(docker, { mirrors: { registries: { "ghcr.io": "registry.example.net/hub" } } });
    const { backendVersions, instances } = desiredStack({ release: problem.release, placement: place(problem) }, "/");
    const pullFrom = "registry.example.net/hub/team/engine:v1";
    expect(backendVersions).toMatchObject([
      { install: { method: "image", reference: "ghcr.io/team/engine:v1", digest }, image: { pullFrom } },
    ]);
    // Under its public name, so that another mirror starts nothing again.
    expect(instances.map(({ container }) => container?.image)).toEqual([`ghcr.io/team/engine@${digest}`]);
    expect(instances.map(({ artifactSha256 }) => artifactSha256)).toEqual(["a".repeat(64)]);
  });

  it("listens on every address inside, and finds its model, which it cannot change, where the host has it", () => {
    const problem = imageProblem(docker);
    const [instance] = desiredStack({ release: problem.release, placement: place(problem) }, "/").instances;
    expect(instance?.container).toMatchObject({
      entrypoint: ["engine", "serve"],
      containerPort: 14000,
      mounts: [{ source: "/srv/m.gguf", target: "/srv/m.gguf", readOnly: true }],
    });
    const argv = instance?.argv.join(" ");
    expect(argv).toContain("/srv/m.gguf");
    expect(argv).toContain("0.0.0.0");
    expect(argv).not.toContain("engine serve");
  });
});

describe("the devices of a container", () => {
  it("are those that its placement gives it, or, where a program gives none, all that the host has", () => {
    const card = { type: "cuda", name: "H100", index: 0, memoryBytes: 1, driverVersion: "550" } as const;
    const accelerators = [
      { ...card, uuid: "GPU-0" },
      { ...card, index: 1, uuid: "GPU-1", mig: { mode: "enabled" as const, devices: [migDevice("MIG-1")] } },
    ];
    const problem = imageProblem({ ...docker, accelerators });
    const placement = place(problem);
    const devicesOf = (devices: string[] | undefined) => {
      const [[name, placed] = []] = Object.entries(placement.instances);
      if (name === undefined || placed === undefined) throw new Error("no instance");
      const instances = { [name]: devices === undefined ? placed : { ...placed, devices } };
      const { instances: desired } = desiredStack(
        { release: problem.release, placement: { ...placement, instances } },
        "/",
      );
      return desired[0]?.container?.devices;
    };
    const request = { form: "request", acceleratorType: "cuda" };
    expect(devicesOf(undefined)).toEqual({ ...request, ids: ["GPU-0"] });
    expect(devicesOf([])).toEqual({ ...request, ids: ["GPU-0", "MIG-1"] });
  });
});

function migDevice(uuid: string) {
  return { uuid, index: 0, gpuInstance: 1, computeInstance: 0, memoryBytes: 1 };
}
