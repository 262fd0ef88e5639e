/** The objects of a lock that Pulumi has never seen: all are new. */
import type { LockFile } from "../../schema/lock.js";
import { desiredExtras } from "../desired-commands.js";
import { desiredStack, type DesiredInstance } from "../desired.js";
import type { SeenObject } from "./seen.js";

/** Pure. */
export function firstObjects(lock: LockFile, projectRoot: string): SeenObject[] {
  const { hosts, backendVersions, models, gateways, modelGateways, subordinates, instances } = desiredStack(
    lock,
    projectRoot,
  );
  const { dockers, setups, verifications } = desiredExtras(lock);
  const named = (
    kind: string,
    things: readonly { readonly name: string; readonly host: { readonly name: string } }[],
  ) => things.map(({ name, host }) => create(kind, name, host.name));
  return [
    ...named("Host", hosts),
    ...named("BackendVersion", backendVersions),
    ...named("ModelFiles", models),
    ...named("Gateway", gateways),
    ...named("ModelGateway", modelGateways),
    ...named("Subordinate", subordinates),
    ...instances.map(createInstance),
    ...named(
      "ModelRoutes",
      modelGateways.map(({ routesName, host }) => ({ name: routesName, host })),
    ),
    ...named("Command", setups),
    ...verifications.map(({ name }) => create("Command", name)),
    ...dockers.flatMap(({ host, networks, volumes }) => [
      ...networks.map(({ name }) => create("Network", name, host.name)),
      ...volumes.map(({ name }) => create("Volume", name, host.name)),
    ]),
  ];
}

function create(kind: string, name: string, host?: string): SeenObject {
  const where = host === undefined ? {} : { host };
  return { kind, name, ...where, change: "create", reasons: [], drift: [], fields: [] };
}

function createInstance({ name, host, placed, release, argv }: DesiredInstance): SeenObject {
  const { deployment, devices, memory, port, slots = [] } = placed;
  return {
    ...create("Instance", name, host.name),
    instance: {
      after: {
        ...{ deployment, host: host.name, devices, argv },
        ...(memory === undefined ? {} : { memory }),
        ...{ version: `${release.backend} ${release.backendVersion}`, backend: release.backend },
        modelSha256: release.model.sha256,
        ports: [port, ...slots],
      },
      strategy: { kind: "create", downtimeSeconds: 0, downtime: "none: nothing runs yet" },
    },
  };
}
