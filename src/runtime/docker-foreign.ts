/** A container that has the name of a runner's, and is somebody else's. */
import { BerthError } from "../lib/errors.js";
import type { ContainerBody } from "./container-body.js";
import type { ContainerStatus } from "./container-engine.js";
import type { ForeignRunner } from "./supervisor.js";

/** Whose a container is, in words for people. */
export function describeContainer({ id, body: { Labels: labels } }: ContainerStatus): string {
  const { "berth.owner": owner, "berth.instance": instance } = labels;
  const whose = owner === undefined ? "without a label of Berth's" : [`of ${owner}`, instance].join(", ");
  return `container ${id.slice(0, 12)} ${whose}`;
}

export function foreignRunner(container: ContainerStatus): ForeignRunner {
  return { what: describeContainer(container), command: removalOf(container), ports: portsOf(container) };
}

export function foreignError(host: string, container: ContainerStatus): BerthError {
  return new BerthError("host-foreign", {
    where: `host ${host}: ${container.name}`,
    what: "another container has the name of the runner's, and is not its own",
    got: describeContainer(container),
    hint: `remove it (${removalOf(container)}) or rename it, and run \`pulumi up\` again`,
  });
}

function removalOf({ name }: ContainerStatus): string {
  return `docker rm --force ${name}`;
}

/** Ports of the host that lead into it when it runs. */
function portsOf({ body: { HostConfig } }: ContainerStatus): number[] {
  const { PortBindings } = HostConfig as Partial<ContainerBody["HostConfig"]>;
  return Object.values(PortBindings ?? {}).flatMap((bindings) => bindings.map(({ HostPort }) => Number(HostPort)));
}
