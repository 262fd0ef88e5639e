import { describe, expect, it } from "vitest";

import { desiredExtras, neededPlugins } from "../../../src/planner/desired-commands.js";
import { desiredStack } from "../../../src/planner/desired.js";
import { place } from "../../../src/planner/placement.js";
import type { HostFacts } from "../../../src/schema/facts.js";
import { chat, knownHost, problemOf, stackOf } from "../support/problems.js";
import type { WrittenStack } from "../support/stacks.js";
import { thrownBy } from "../support/thrown.js";

const docker: Partial<HostFacts> = { containerEngine: { engine: "docker", version: "27.5.1" } };

function decide(hosts: WrittenStack["hosts"], changes: Parameters<typeof chat>[0] = {}, facts = docker) {
  const stack = stackOf({ chat: chat({ host: "gpu", ...changes }) }, { hosts });
  const known = Object.fromEntries(Object.keys(hosts).map((name) => [name, knownHost(`/srv/${name}`, { facts })]));
  const { release, ...problem } = problemOf(stack, { hosts: known });
  return { release, placement: place({ release, ...problem }) };
}

const gpu = { connection: "ssh", ssh: { address: "10.0.0.1", user: "berth" } } as const;
const reached = { name: "gpu", ...gpu };

describe("what a stack declares beside Berth's own resources", () => {
  it("is nothing for a stack that declares nothing: it needs no plugin, and its lock has no word of it", () => {
    const decisions = decide({ gpu });
    expect(desiredExtras(decisions)).toEqual({ setups: [], verifications: [], dockers: [] });
    expect(neededPlugins(desiredExtras(decisions))).toEqual([]);
    expect(JSON.stringify(decisions.placement)).not.toMatch(/setup|verify|networks|volumes/);
  });

  it("is a command for each host and entry, by name, which runs where the host is", () => {
    const hosts: WrittenStack["hosts"] = {
      here: { connection: "local", setup: { b: "two", a: { create: "one", delete: "none" } } },
      gpu: { ...gpu, setup: { driver: "apt" } },
    };
    expect(desiredExtras(decide(hosts)).setups).toEqual([
      { name: "gpu.setup.driver", host: reached, placed: { create: "apt", timeoutSeconds: 1800 } },
      {
        name: "here.setup.a",
        host: { name: "here", connection: "local" },
        placed: { create: "one", delete: "none", timeoutSeconds: 1800 },
      },
      {
        name: "here.setup.b",
        host: { name: "here", connection: "local" },
        placed: { create: "two", timeoutSeconds: 1800 },
      },
    ]);
  });

  it("is a check for each instance, on its host or here, with its endpoint and the name of its key", () => {
    const verify = { smoke: "curl {{endpoint}}", far: { command: "k6", on: "local" as const } };
    const { verifications } = desiredExtras(decide({ gpu }, { verify, port: 8000, apiKey: { secret: "team-key" } }));
    const common = { instance: "chat-0", instancePlaced: { bindAddress: "127.0.0.1", port: 8000 } };
    const served = { servedModel: "chat", apiKey: "team-key" };
    expect(verifications).toEqual([
      {
        ...{ name: "chat-0.verify.far", ...common, ...served, host: { name: "local", connection: "local" } },
        placed: { command: "k6", on: "local", timeoutSeconds: 300 },
      },
      {
        ...{ name: "chat-0.verify.smoke", ...common, ...served, host: reached },
        placed: { command: "curl {{endpoint}}", on: "host", timeoutSeconds: 300 },
      },
    ]);
  });

  it("is a Docker for each host with networks or volumes", () => {
    const hosts = {
      gpu: { ...gpu, networks: { models: {} }, volumes: { cache: { keep: true } } },
      here: { connection: "local" },
    } as const;
    const extras = desiredExtras(decide(hosts));
    expect(extras.dockers).toEqual([
      {
        ...{ name: "gpu.docker", host: reached },
        networks: [{ name: "gpu.network.models", key: "models", entry: {} }],
        volumes: [{ name: "gpu.volume.cache", key: "cache", entry: { keep: true } }],
      },
    ]);
    expect(neededPlugins(extras)).toEqual(["docker"]);
  });

  it("changes nothing of Berth's own resources", () => {
    const own = (changes: object, verify = {}) => desiredStack(decide({ gpu: { ...gpu, ...changes } }, verify), "/p");
    const plain = own({});
    const { instances, ...others } = own({ setup: { a: "x" }, volumes: { cache: {} } }, { verify: { smoke: "y" } });
    expect(others).toEqual({ ...plain, instances: undefined });
    expect(instances.map(({ argv, release }) => ({ argv, release }))).toEqual(
      plain.instances.map(({ argv, release }) => ({ argv, release })),
    );
  });

  it.each([
    ["no container engine", {}, "no container engine"],
    ["Podman", { containerEngine: { engine: "podman", version: "5" } }, "podman"],
  ] as const)("is refused where the host has %s and the stack asks for networks or volumes", (_, facts, got) => {
    const error = thrownBy(() => decide({ gpu: { ...gpu, volumes: { cache: {} } } }, {}, facts));
    expect(error.code).toBe("host-unsuitable");
    expect(error.parts).toMatchObject({ where: "host gpu", got: `cache; ${got}` });
  });

  it("is refused where all is done by sudo and the stack asks for networks or volumes, because the plugin has no sudo", () => {
    const bySudo = { ...gpu, ssh: { ...gpu.ssh, sudo: "nonInteractive" as const } };
    expect(desiredExtras(decide({ gpu: bySudo })).dockers).toEqual([]);
    const error = thrownBy(() => decide({ gpu: { ...bySudo, networks: { models: {} }, volumes: { cache: {} } } }));
    expect(error.code).toBe("host-unsuitable");
    expect(error.parts).toMatchObject({ where: "host gpu", got: "models, cache; ssh.sudo: nonInteractive" });
  });
});
