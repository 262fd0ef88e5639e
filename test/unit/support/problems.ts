import { resolveRelease } from "../../../src/catalog/release.js";
import type { Platform } from "../../../src/catalog/selection.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { stockOf } from "../../../src/planner/fleet-hosts.js";
import { findFitting, knownHost as knownIn, type KnownHost } from "../../../src/planner/host-choice.js";
import type { PlacementProblem } from "../../../src/planner/placement.js";
import { placeReplicas } from "../../../src/planner/replica-placement.js";
import { listWays } from "../../../src/planner/ways.js";
import type { HostClaim, HostFacts } from "../../../src/schema/facts.js";
import type { LockedModel, ModelSource } from "../../../src/schema/model.js";
import { stackFile, type StackFile } from "../../../src/schema/stack.js";
import { catalogueOf } from "./catalogues.js";
import type { WrittenStack } from "./stacks.js";

type WrittenDeployment = NonNullable<WrittenStack["deployments"]>[string];

export const facts: HostFacts = {
  os: "linux",
  distribution: "Debian GNU/Linux 12 (bookworm)",
  arch: "x64",
  cpus: 2,
  ramBytes: 8_000_000_000,
  diskBytes: 100_000_000_000,
  user: "berth",
  home: "/home/berth",
  initSystem: "other",
  python: { path: "/usr/bin/python3", version: "3.11.2" },
  accelerators: [],
};

/** What of that host decides how backends are installed. */
export const platform: Platform = { os: "linux", arch: "x64", acceleratorType: "cpu" };

export function knownHost(
  dataDir: string,
  changes: { facts?: Partial<HostFacts>; listeningPorts?: number[]; claims?: HostClaim[] } = {},
): KnownHost {
  const { listeningPorts = [], claims } = changes;
  const usage = claims === undefined ? { listeningPorts } : { listeningPorts, claims };
  return { facts: { ...facts, ...changes.facts }, usage, dataDir };
}

/** A deployment of the sample backend. */
export function chat(changes: Partial<WrittenDeployment> = {}): WrittenDeployment {
  return { backend: "engine", model: { source: "file", path: "/srv/m.gguf", sha256: sha256("m") }, ...changes };
}

/** A stack of one host `local`, unless it is given others. */
export function stackOf(
  deployments: Record<string, WrittenDeployment>,
  changes: Partial<WrittenStack> = {},
): StackFile {
  return stackFile.parse({ schemaVersion: 1, hosts: { local: { connection: "local" } }, deployments, ...changes });
}

/** The placement problem of a stack: its releases are resolved, its hosts have the data directory that they name. */
export function problemOf(stack: StackFile, changes: Partial<PlacementProblem> = {}): PlacementProblem {
  const release = Object.fromEntries(
    Object.entries(stack.deployments).map(([name, deployment]) => [
      name,
      resolveRelease({
        catalogue: catalogueOf(),
        deployment,
        model: lockedModel(deployment.model),
        platform,
        where: `deployment ${name}`,
      }),
    ]),
  );
  const hosts = Object.fromEntries(
    Object.entries(stack.hosts).map(([name, { dataDir }]) => [name, knownHost(dataDir ?? `/srv/${name}`)]),
  );
  const problem = { owner: "shop/dev", stack, release, hosts, previous: undefined, ...changes };
  return { ...problem, places: changes.places ?? placesOf(problem) };
}

/** Where its replicas run, when nothing is known of the memory of any engine. */
function placesOf({ owner, stack, hosts, previous }: Omit<PlacementProblem, "places">): PlacementProblem["places"] {
  const candidates = Object.entries(stack.deployments).map(([name, deployment]) => {
    const fitting = findFitting({ stack, hosts, selector: {} }, name, deployment);
    const ways = listWays({
      deployment,
      parameters: [],
      variables: [],
      engine: { kind: "unknown", reason: "it is a sample" },
      tensorParallelSize: undefined,
      tensorParallelFlag: undefined,
      devices: stockOf(
        "cuda",
        fitting.map((host) => knownIn(hosts, host).facts),
      ),
    });
    return { name, deployment, hosts: fitting, ways, modelSha256: deployment.model.source };
  });
  return placeReplicas({ owner, stack, hosts, candidates, previous, modelsBefore: {} });
}

function lockedModel(model: ModelSource): LockedModel {
  if (model.source === "huggingface") throw new Error("a placement problem has pinned models");
  const file = model.source === "file" ? "m.gguf" : model.file;
  return {
    from: { source: "file", path: model.source === "file" ? model.path : `/srv/${file}` },
    file,
    sha256: model.sha256,
  };
}
