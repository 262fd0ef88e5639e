import type { ContainerLimits, DeploymentContainer } from "../schema/container-options.js";
import { byteSizeBytes } from "../schema/scalars.js";

/** What of its host a deployment's container may take: the environment's own. Pure. */
export function placeLimits({ memory, cpus, logs }: DeploymentContainer = {}): { limits?: ContainerLimits } {
  const limits: ContainerLimits = {
    ...(memory === undefined ? {} : { memoryBytes: byteSizeBytes(memory) }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(logs === undefined ? {} : { logs: placeLogs(logs) }),
  };
  return Object.keys(limits).length === 0 ? {} : { limits };
}

function placeLogs({ maxSize, ...rest }: NonNullable<DeploymentContainer["logs"]>): ContainerLimits["logs"] {
  return { ...(maxSize === undefined ? {} : { maxBytes: byteSizeBytes(maxSize) }), ...rest };
}
