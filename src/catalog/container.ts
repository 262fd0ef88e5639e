import { BerthError, type ErrorParts } from "../lib/errors.js";
import type { BackendContainer, DeploymentContainer, LockedContainer } from "../schema/container-options.js";
import { byteSizeBytes } from "../schema/scalars.js";

/** Who says something of a deployment's container, the one that counts least first. */
export interface ContainerSayers {
  readonly backend: { readonly container?: BackendContainer | undefined };
  readonly entry: { readonly container?: BackendContainer | undefined };
  readonly deployment: { readonly container?: DeploymentContainer | undefined };
}

/** What decides whether a deployment may say it. */
export interface ContainerCase {
  readonly method: string;
  readonly tensorParallelSize: number | undefined;
  /** What names the deployment, for errors. */
  readonly where: string;
}

type Said = BackendContainer & DeploymentContainer;

/**
 * What is said of a deployment's container, field by field and limit by limit: the deployment's counts before the
 * version's, and these before the backend's. Nothing for a process, and where nothing is said. Pure.
 *
 * @throws BerthError `stack-inconsistent` when the deployment asks for what it cannot have
 */
export function lockContainer(
  { backend, entry, deployment }: ContainerSayers,
  asked: ContainerCase,
): { container?: LockedContainer } {
  const sayers = [backend.container, entry.container, deployment.container];
  const said = sayers.reduce<Said>((below, over) => ({ ...below, ...over }), {});
  if (deployment.container !== undefined) refuseContradiction(deployment.container, said, asked);
  if (asked.method !== "image") return {};
  // Networks and limits are the environment's: they are in the placement.
  const { shmSize, capAdd, ulimits: _ulimits, ...others } = said;
  const { networks: _networks, memory: _memory, cpus: _cpus, logs: _logs, ...rest } = others;
  const ulimits = sayers.reduce<Ulimits>((below, over) => ({ ...below, ...over?.ulimits }), {});
  const container: LockedContainer = {
    ...rest,
    // Neither has a meaning of its own where the container has the host's.
    ...(shmSize === undefined || said.ipc === "host" ? {} : { shmBytes: byteSizeBytes(shmSize) }),
    ...(capAdd === undefined || said.privileged !== undefined ? {} : { capAdd }),
    ...(Object.keys(ulimits).length === 0 ? {} : { ulimits: lockUlimits(ulimits) }),
  };
  return Object.keys(container).length === 0 ? {} : { container };
}

function refuseContradiction(
  { ipc, shmSize, capAdd }: DeploymentContainer,
  { privileged }: Said,
  { method, tensorParallelSize = 1, where }: ContainerCase,
): void {
  const refuse = (parts: ErrorParts) => new BerthError("stack-inconsistent", { where, ...parts });
  if (method !== "image") {
    throw refuse({
      what: "`container` is for deployments that are installed as an image, and this one is a process",
      got: `install: ${method}`,
      hint: "leave `container` out, or say `install: image`",
    });
  }
  if (ipc === "host" && tensorParallelSize <= 1) {
    throw refuse({
      what: "a container has the host's shared memory only for an engine on several devices",
      got: `container.ipc: host, tensor parallel size ${tensorParallelSize}`,
      hint: "leave `container.ipc` out, or give the tensor parallel size in `parameters`",
    });
  }
  if (ipc === "host" && shmSize !== undefined) {
    throw refuse({
      what: "the host's shared memory has a size of its own",
      got: `container.ipc: host, container.shmSize: ${shmSize}`,
      hint: "leave one of them out",
    });
  }
  if (privileged !== undefined && capAdd !== undefined) {
    throw refuse({
      what: "the backend's container is privileged, and has all capabilities",
      got: `container.capAdd: ${capAdd.join(", ")}`,
      hint: "leave `container.capAdd` out",
    });
  }
}

type Ulimits = NonNullable<Said["ulimits"]>;

function lockUlimits({ memlock, stack, ...rest }: Ulimits): LockedContainer["ulimits"] {
  const inBytes = (limit: string) => (limit === "unlimited" ? limit : byteSizeBytes(limit));
  return {
    ...(memlock === undefined ? {} : { memlock: inBytes(memlock) }),
    ...(stack === undefined ? {} : { stack: inBytes(stack) }),
    ...rest,
  };
}
