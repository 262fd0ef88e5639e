import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { containerBody, type ContainerBody } from "../../../src/runtime/container-body.js";
import { differences, type SeenBody } from "../../../src/runtime/container-difference.js";
import type { ContainerSettings } from "../../../src/schema/container.js";
import { changedSettings } from "../support/changed-settings.js";
import { goldenSpecs, mountedHere, specOf } from "../support/container-specs.js";
import { repository } from "../support/repository.js";

type Answers = Readonly<Record<string, SeenBody & { readonly HostConfig: object }>>;

const folder = join(repository, "test", "fixtures", "container-answers");
const recorded = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file): [string, Answers] => [file, JSON.parse(readFileSync(join(folder, file), "utf8")) as Answers]);

const writtenOf = (name: string) => mountedHere(containerBody(goldenSpecs[name] ?? specOf()));
const bodyOf = (settings: ContainerSettings) => containerBody(specOf({ settings }));

describe.each(recorded)("a container as %s tells of it", (_, answers) => {
  it.each(Object.keys(answers))("is as it was written: %s", (name) => {
    expect(differences(writtenOf(name), answers[name] ?? {})).toEqual([]);
  });

  it("is another one's nowhere", () => {
    const names = Object.keys(answers);
    const alike = names.flatMap((one) =>
      names.filter((other) => other !== one && differences(writtenOf(one), answers[other] ?? {}).length === 0),
    );
    expect(alike).toEqual([]);
  });

  const full = (answers.full ?? {}) as ContainerBody;
  const host = (changes: object) => ({ ...full, HostConfig: { ...full.HostConfig, ...changes } });

  it.each<[string, object]>([
    ["image", { ...full, Image: `registry.example/team/engine@sha256:${"2".repeat(64)}` }],
    ["entrypoint", { ...full, Entrypoint: ["/bin/sh"] }],
    ["command", { ...full, Cmd: null }],
    ["command", { ...full, Cmd: [...full.Cmd, "--more"] }],
    ["environment", { ...full, Env: full.Env.filter((entry) => !entry.startsWith("LEVEL=")) }],
    ["environment", { ...full, Env: full.Env.map((entry) => entry.replace("hunter2", "canary")) }],
    ["user", { ...full, User: "0" }],
    ["labels", { ...full, Labels: { ...full.Labels, "berth.owner": "other/dev" } }],
    ["labels", { ...full, Labels: { ...full.Labels, "berth.more": "1" } }],
    ["labels", { ...full, Labels: null }],
    ["stop signal", { ...full, StopSignal: "SIGKILL" }],
    ["stop timeout", { ...full, StopTimeout: null }],
    ["mounts", host({ Mounts: null })],
    ["mounts", host({ Mounts: full.HostConfig.Mounts.map((mount) => ({ ...mount, ReadOnly: false })) })],
    ["mounts", host({ Binds: ["/:/host"] })],
    ["ports", host({ PortBindings: { "8000/tcp": [{ HostIp: "0.0.0.0", HostPort: "14000" }] } })],
    ["ports", host({ PublishAllPorts: true })],
    ["network", host({ NetworkMode: "host" })],
    ["network", { ...full, NetworkingConfig: { EndpointsConfig: {} } }],
    ["network", { ...full, NetworkingConfig: { EndpointsConfig: { "berth_shop_dev_gpu-1_lan": {}, other: {} } } }],
    ["restart policy", host({ RestartPolicy: { Name: "no", MaximumRetryCount: 0 } })],
    ["restart policy", host({ AutoRemove: true })],
    ["log rotation", host({ LogConfig: { Type: "json-file", Config: {} } })],
    ["init process", host({ Init: null })],
    ["shared memory", host({ IpcMode: "host" })],
    ["shared memory", host({ ShmSize: 67_108_864 })],
    ["limits of processes", host({ Ulimits: null })],
    ["processor limit", host({ NanoCpus: 0 })],
    ["processor limit", host({ CpusetCpus: "0" })],
    ["memory limit", host({ Memory: 0 })],
    ["memory limit", host({ MemorySwap: 2 ** 33 })],
    ["capabilities", host({ CapAdd: ["SYS_ADMIN", ...full.HostConfig.CapAdd] })],
    ["capabilities", host({ CapDrop: null })],
    ["privileges", host({ Privileged: true })],
    ["privileges", host({ SecurityOpt: null })],
    ["privileges", host({ PidMode: "host" })],
    ["groups", host({ GroupAdd: ["0"] })],
    ["devices", host({ DeviceRequests: [{ Driver: "", Count: -1, DeviceIDs: null, Capabilities: [["gpu"]] }] })],
    ["devices", host({ Devices: [{ PathOnHost: "/dev/sda", PathInContainer: "/dev/sda", CgroupPermissions: "rwm" }] })],
  ])("is not as it was written in its %s", (name, seen) => {
    expect(differences(writtenOf("full"), seen)).toEqual([name]);
  });

  it("is as it was written with what engines do by themselves", () => {
    const limits = [{ Name: "core", Soft: 0, Hard: 0 }, ...full.HostConfig.Ulimits].reverse();
    const engines = [
      host({ Ulimits: limits }),
      host({ CapAdd: full.HostConfig.CapAdd.map((name) => `CAP_${name}`).reverse() }),
      host({ MemorySwap: -1 }),
      host({ Runtime: "nvidia" }),
      { ...full, Env: [...full.Env].reverse(), Hostname: "other" },
    ];
    for (const seen of engines) expect(differences(writtenOf("full"), seen)).toEqual([]);
  });
});

describe("what of a container is not as it was written", () => {
  it("is told by names alone, since values may be secrets", () => {
    const body = containerBody(specOf({ environment: { ENGINE_KEY: "canary-old" } }));
    const seen = containerBody(specOf({ environment: { ENGINE_KEY: "canary-new" } }));
    expect(differences(body, seen)).toEqual(["environment"]);
  });

  it("is not the engine's bridge, which a container without networks of its own is in", () => {
    const seen = { ...writtenOf("cpu"), NetworkingConfig: { EndpointsConfig: { bridge: {} } } };
    expect(differences(writtenOf("cpu"), seen)).toEqual([]);
    const more = { ...seen, NetworkingConfig: { EndpointsConfig: { bridge: {}, other: {} } } };
    expect(differences(writtenOf("cpu"), more)).toEqual(["network"]);
  });

  it("is everything that is told of nothing", () => {
    expect(differences(writtenOf("full"), {})).toContain("image");
  });

  it("is nothing of a body itself, and something wherever settings make another body", () => {
    fc.assert(
      fc.property(changedSettings, ({ before, after }) => {
        expect(differences(bodyOf(before), bodyOf(before))).toEqual([]);
        if (after === undefined) return;
        const [one, other] = [bodyOf(before), bodyOf(after)];
        expect([...differences(one, other), ...differences(other, one)]).not.toEqual([]);
      }),
      { numRuns: 3000 },
    );
  });
});
