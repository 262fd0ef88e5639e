import type { z } from "zod";

import type { ContainerBody } from "../../../src/runtime/container-body.js";
import type { KnownDevices } from "../../../src/runtime/container-devices.js";
import { containerSpec, type ContainerSpec } from "../../../src/schema/container.js";

export type WrittenSpec = z.input<typeof containerSpec>;
export type WrittenSettings = WrittenSpec["settings"];
export type WrittenDevices = NonNullable<WrittenSettings["devices"]>;

/** A container of the sample backend, as small as it can be. */
export function settingsOf(changes: Partial<WrittenSettings> = {}): WrittenSettings {
  return {
    image: `registry.example/team/engine@sha256:${"1".repeat(64)}`,
    containerPort: 8000,
    mounts: [{ source: "/var/lib/berth/models/a", target: "/models/a" }],
    ...changes,
  };
}

/** What the sample backend's container is made from. */
export function writtenSpec(changes: Partial<WrittenSpec> = {}): WrittenSpec {
  return {
    settings: settingsOf(),
    argv: ["serve", "/models/a/m.gguf", "--port", "8000"],
    environment: { LEVEL: "info", ENGINE_KEY: "hunter2" },
    identity: {
      owner: "shop/dev",
      instance: "chat-0",
      deployment: "chat",
      host: "gpu-1",
      dataDir: "/var/lib/berth",
      generation: "0123456789ab",
    },
    bindAddress: "127.0.0.1",
    port: 14_000,
    stopSeconds: 10,
    ...changes,
  };
}

export function specOf(changes: Partial<WrittenSpec> = {}): ContainerSpec {
  return containerSpec.parse(writtenSpec(changes));
}

/** Two cards of each type that containers can be given, in the form that it has. */
export const devicesOf: Readonly<Record<KnownDevices["acceleratorType"], WrittenDevices>> = {
  cuda: {
    form: "request",
    acceleratorType: "cuda",
    ids: ["GPU-6f3a8d1e-0c2b-4e7a-9d15-3b8c2f7a4e01", "MIG-41b36db0-1111-5f6c-8c3f-0a2b4c6d8e02"],
  },
  rocm: {
    form: "drmNodes",
    acceleratorType: "rocm",
    ids: ["a2ff74a1-0000-1000-80e9-1c3b5d7f9e01", "a2ff74a1-0000-1000-80e9-1c3b5d7f9e02"],
    nodes: ["/dev/dri/card1", "/dev/dri/card2", "/dev/dri/renderD128", "/dev/dri/renderD129"],
    groups: [44, 992],
  },
  cann: {
    form: "numberedNodes",
    acceleratorType: "cann",
    ids: ["B2A0108021A0C0E4-1", "B2A0108021A0C0E4-2"],
    indexes: [2, 6],
    nodes: ["/dev/dvpp_cmdlist"],
  },
  musa: {
    form: "vendorRuntime",
    acceleratorType: "musa",
    ids: ["c1d2e3f4-0001", "c1d2e3f4-0002"],
    indexes: [1, 3],
  },
  dtk: {
    form: "drmNodes",
    acceleratorType: "dtk",
    ids: ["T8R1380019021101", "T8R1380019021102"],
    nodes: ["/dev/dri/card0", "/dev/dri/card3", "/dev/dri/renderD128", "/dev/dri/renderD131"],
  },
  corex: {
    form: "numberedNodes",
    acceleratorType: "corex",
    ids: ["GPU-0a1b2c3d-0001", "GPU-0a1b2c3d-0002"],
    indexes: [0, 1],
    nodes: ["/dev/itrlink"],
  },
  maca: {
    form: "drmNodes",
    acceleratorType: "maca",
    ids: ["GPU-7d31c5ae-0001", "GPU-7d31c5ae-0002"],
    nodes: ["/dev/mxgd", "/dev/dri/card1", "/dev/dri/card2", "/dev/dri/renderD129", "/dev/dri/renderD130"],
  },
  hggc: {
    form: "numberedNodes",
    acceleratorType: "hggc",
    ids: ["PPU-2e4f6a8c-0001", "PPU-2e4f6a8c-0002"],
    indexes: [14, 15],
  },
  neuware: {
    form: "numberedNodes",
    acceleratorType: "neuware",
    ids: ["MLU-10001012-1916-0000-0000-000000000000", "0000:3b:00.0"],
    indexes: [0, 3],
  },
};

/** Two cards of a type that its own file describes. */
export const declaredCards: WrittenDevices = {
  form: "declaredNodes",
  ids: ["NEW-5", "NEW-7"],
  nodes: ["/dev/new5", "/dev/new7", "/dev/new_ctl"],
  groups: [992],
  driverFiles: ["/opt/new/lib"],
  variable: "NEW_VISIBLE_DEVICES",
};

/** One container for each type, and one without devices. */
export const specsByType: Readonly<Record<string, ContainerSpec>> = {
  cpu: specOf(),
  ...Object.fromEntries(
    Object.entries(devicesOf).map(([type, devices]) => [type, specOf({ settings: settingsOf({ devices }) })]),
  ),
};

/** Everything that can be said of a container, beside devices. */
export const fullSettings: WrittenSettings = settingsOf({
  entrypoint: ["/opt/engine", "--quiet"],
  mounts: [
    { source: "/var/lib/berth/models/a", target: "/models/a", readOnly: true },
    { source: "/srv/adapters", target: "/adapters", readOnly: false },
  ],
  cache: { source: "/var/lib/berth/cache/chat-0", target: "/root/.cache" },
  shmBytes: 2 ** 30,
  ipc: "private",
  ulimits: { memlock: 65_536, stack: 2 ** 20, nofile: 65_536 },
  user: "1000:1000",
  cpus: 1.5,
  memoryBytes: 2 ** 32,
  networks: ["berth_shop_dev_gpu-1_lan"],
  logs: { maxBytes: 2 ** 20, files: 2 },
  stopSignal: "SIGINT",
  capAdd: ["SYS_NICE", "NET_RAW"],
});

/** What excludes something else. */
export const privilegedSettings: WrittenSettings = settingsOf({
  ipc: "host",
  privileged: { why: "the driver of this release has no device files of its own" },
});

/** Specs whose bodies are fixtures. */
export const goldenSpecs: Readonly<Record<string, ContainerSpec>> = {
  ...specsByType,
  declared: specOf({ settings: settingsOf({ devices: declaredCards }) }),
  "cuda-cdi": specOf({
    settings: settingsOf({ devices: { form: "cdi", acceleratorType: "cuda", ids: devicesOf.cuda.ids } }),
  }),
  full: specOf({ settings: fullSettings }),
  privileged: specOf({ settings: privilegedSettings }),
};

/** The same body where every mount is of a folder that machines have. */
export function mountedHere(body: ContainerBody): ContainerBody {
  const Mounts = body.HostConfig.Mounts.map((mount) => ({ ...mount, Source: "/usr/share" }));
  return { ...body, HostConfig: { ...body.HostConfig, Mounts } };
}
