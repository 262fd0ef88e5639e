import { instanceInputs, type InstanceInputs } from "../../../src/resources/instance-inputs.js";

/** Inputs of an instance of the sample backend. */
export function instanceOf(changes: Partial<InstanceInputs> = {}): InstanceInputs {
  return instanceInputs.parse({
    name: "chat-0",
    owner: "shop/dev",
    host: { name: "local", connection: "local", dataDir: "/data" },
    deployment: "chat",
    backend: "engine",
    backendVersion: "1.0",
    installation: "installation-1",
    modelSha256: "a".repeat(64),
    modelPath: "/data/models/a/m.gguf",
    placement: "placement-1",
    runtime: "supervisord",
    argv: ["/data/bin/engine_1.0", "--port", "14000"],
    env: { LEVEL: "info" },
    secretEnv: { ENGINE_KEY: "hunter2" },
    bindAddress: "127.0.0.1",
    port: 14_000,
    servedModel: "chat",
    apiKeyVariable: "ENGINE_KEY",
    healthPath: "/health",
    minHealthySeconds: 10,
    healthyDeadlineSeconds: 300,
    stopSeconds: 10,
    ...changes,
  });
}
