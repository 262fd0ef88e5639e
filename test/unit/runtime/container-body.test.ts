import { join } from "node:path";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { containerBody, identityLabels } from "../../../src/runtime/container-body.js";
import { containerSpec } from "../../../src/schema/container.js";
import {
  devicesOf,
  fullSettings,
  goldenSpecs,
  privilegedSettings,
  settingsOf,
  specOf,
  specsByType,
  writtenSpec,
  type WrittenSpec,
} from "../support/container-specs.js";
import { repository } from "../support/repository.js";
import { thrownBy } from "../support/thrown.js";

const fixtures = join(repository, "test", "fixtures", "container-bodies");
describe("the body of a container", () => {
  it.each(Object.entries(goldenSpecs))("is this, to the byte: %s", async (name, spec) => {
    const text = `${JSON.stringify(containerBody(spec), undefined, 2)}\n`;
    await expect(text).toMatchFileSnapshot(join(fixtures, `${name}.json`));
  });

  it("is the same for the same spec, however its keys are ordered", () => {
    const spec = { ...writtenSpec(), settings: { ...fullSettings, devices: devicesOf.rocm } };
    const expected = JSON.stringify(containerBody(containerSpec.parse(spec)));
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (numbers) => {
        const shuffled = shuffleKeys(spec, () => numbers.next().value as number) as WrittenSpec;
        expect(JSON.stringify(containerBody(containerSpec.parse(shuffled)))).toBe(expected);
      }),
    );
  });

  it("has secrets in its environment, and nowhere else", () => {
    const canary = "canary-7f3a";
    const { Env, ...rest } = containerBody(specOf({ environment: { LEVEL: "info", ENGINE_KEY: canary } }));
    expect(Env).toContain(`ENGINE_KEY=${canary}`);
    expect(JSON.stringify(rest)).not.toContain(canary);
  });

  it("publishes the port on the runner's address alone", () => {
    const { ExposedPorts, HostConfig } = containerBody(specOf({ bindAddress: "::1", port: 14_001 }));
    expect(HostConfig.PortBindings).toEqual({ "8000/tcp": [{ HostIp: "::1", HostPort: "14001" }] });
    expect(Object.keys(ExposedPorts)).toEqual(["8000/tcp"]);
    expect(HostConfig.NetworkMode).toBe("bridge");
  });

  it("never lets a process take more rights than it has, unless it is privileged anyway", () => {
    const usual = containerBody(specOf()).HostConfig;
    expect(usual).toMatchObject({ Privileged: false, CapAdd: [], SecurityOpt: ["no-new-privileges"] });
    expect(usual.CapDrop).toContain("NET_RAW");
    const asked = containerBody(specOf({ settings: settingsOf({ capAdd: ["NET_RAW"] }) })).HostConfig;
    expect(asked.CapAdd).toEqual(["NET_RAW"]);
    expect(asked.CapDrop).not.toContain("NET_RAW");
    const privileged = containerBody(specOf({ settings: privilegedSettings }));
    expect(privileged.HostConfig).toMatchObject({ Privileged: true, CapAdd: [], CapDrop: [], SecurityOpt: [] });
    expect(privileged.Labels["berth.privileged"]).toBe("the driver of this release has no device files of its own");
  });

  it("waits whole seconds for its end, and not less than is asked for", () => {
    expect([0, 0.2, 10].map((stopSeconds) => containerBody(specOf({ stopSeconds })).StopTimeout)).toEqual([0, 1, 10]);
  });

  it("has labels by which it is found", () => {
    const found = identityLabels({ owner: "shop/dev", instance: "chat-0" });
    expect(found).toEqual({ "berth.owner": "shop/dev", "berth.instance": "chat-0" });
    expect(containerBody(specOf()).Labels).toMatchObject(found);
  });
});

describe("the devices of a container", () => {
  it.each(Object.entries(specsByType))("are never asked for by their number, nor all of them: %s", (_, spec) => {
    const { HostConfig } = containerBody(spec);
    expect(HostConfig.Privileged).toBe(false);
    for (const request of HostConfig.DeviceRequests) {
      expect(request.DeviceIDs).toHaveLength(2);
      expect(request).not.toHaveProperty("Count");
    }
    for (const { PathOnHost, PathInContainer } of HostConfig.Devices) {
      expect(PathOnHost).toMatch(/^\/dev\/.*[^/]$/);
      expect(PathInContainer).toBe(PathOnHost);
    }
  });

  it.each(Object.keys(specsByType).filter((type) => type !== "cuda"))(
    "are none of NVIDIA's without any: %s",
    (type) => {
      const spec = specsByType[type];
      expect(spec && containerBody(spec).Env).toContain("NVIDIA_VISIBLE_DEVICES=void");
    },
  );

  it("are counted from 0 where the container sees its own alone", () => {
    const { Env } = containerBody(specOf({ settings: settingsOf({ devices: devicesOf.cann }) }));
    expect(Env).toContain("ASCEND_VISIBLE_DEVICES=2,6");
    expect(Env).toContain("ASCEND_RT_VISIBLE_DEVICES=0,1");
  });

  it("are not chosen by its environment", () => {
    const environment = { NVIDIA_VISIBLE_DEVICES: "canary-all" };
    const error = thrownBy(() => containerBody(specOf({ environment })));
    expect(error).toMatchObject({ code: "stack-inconsistent", parts: { where: "NVIDIA_VISIBLE_DEVICES" } });
    expect(String(error)).not.toContain("canary");
    expect(() => containerBody(specOf({ environment: { NVIDIA_VISIBLE_DEVICES: "void" } }))).not.toThrow();
  });
});

/** A value with the keys of all its objects in another order. */
function shuffleKeys(value: unknown, next: () => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffleKeys(item, next));
  if (typeof value !== "object" || value === null) return value;
  const ranked = Object.entries(value).map((entry) => ({ entry, rank: next() }));
  const shuffled = ranked.sort((one, other) => one.rank - other.rank).map(({ entry }) => entry);
  return Object.fromEntries(shuffled.map(([key, item]) => [key, shuffleKeys(item, next)]));
}
