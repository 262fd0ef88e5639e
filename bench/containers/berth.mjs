/** The containers as instances of Berth, as a stack's are. */
import { Instance } from "pulumi-berth";

import * as settings from "./settings.mjs";

for (const { name, port } of settings.containers) {
  new Instance(name, {
    host: { name: "local", connection: "local", dataDir: settings.dataDir },
    deployment: name,
    backend: "fake",
    backendVersion: "1",
    installation: settings.image,
    modelSha256: "0".repeat(64),
    modelPath: settings.model,
    placement: "0".repeat(16),
    runtime: "docker",
    argv: settings.argv,
    container: {
      image: `bench/fake@${settings.image}`,
      containerPort: settings.containerPort,
      mounts: [{ source: settings.model, target: settings.model }],
      shmBytes: settings.shmBytes,
      logs: settings.logs,
    },
    env: { TINY: "1" },
    bindAddress: settings.bindAddress,
    port,
    servedModel: settings.servedModel,
    healthPath: "/health",
    minHealthySeconds: 0,
    healthyDeadlineSeconds: 60,
    stopSeconds: settings.stopSeconds,
  });
}
