import type { z } from "zod";

import { containerSpec, type ContainerSpec } from "../../../src/schema/container.js";

export type WrittenSpec = z.input<typeof containerSpec>;
export type WrittenSettings = WrittenSpec["settings"];

export const engineImage = `registry.example/team/engine@sha256:${"1".repeat(64)}`;

/** A container of the sample backend, as small as it can be. */
export function settingsOf(changes: Partial<WrittenSettings> = {}): WrittenSettings {
  return {
    image: engineImage,
    containerPort: 8000,
    mounts: [{ source: "/var/lib/berth/models/a", target: "/models/a" }],
    ...changes,
  };
}

/** What the sample backend's container is made from. */
export function specOf(changes: Partial<WrittenSpec> = {}): ContainerSpec {
  return containerSpec.parse(writtenSpec(changes));
}

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
      generation: 1,
      specHash: "5f3a",
    },
    bindAddress: "127.0.0.1",
    port: 14_000,
    stopSeconds: 10,
    ...changes,
  };
}
