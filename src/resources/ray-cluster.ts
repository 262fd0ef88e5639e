/** What a Ray cluster and its environment tell, by the environment's own Python. */
import { compareVersions } from "../catalog/version.js";
import { BerthError } from "../lib/errors.js";
import { lastLines } from "../lib/format.js";
import type { Context } from "./kind.js";
import type { SubordinateInputs } from "./subordinate-inputs.js";

/** The first Ray whose processes know each other by a token. */
const leastRay = "2.52";

const versionSeconds = 30;
/** Longer than the client itself waits: 5 s to connect, 5 s for the answer. */
const askSeconds = 20;

const versionScript = `import platform
from importlib.metadata import version
print(f"ray {version('ray')}, Python {platform.python_version()}")`;

/** Asks as Ray's own commands do. A driver would do it too, and start workers for that. */
const nodesScript = `import sys
from ray._raylet import GcsClient
for id, node in GcsClient(address=sys.argv[1]).get_all_node_info(timeout=5).items():
    if node.state == 0:
        print(id.hex(), node.node_manager_address)`;

/** Such as `ray 2.60.0, Python 3.11.2`; undefined where the environment of a Python has no Ray. */
export async function findVersions({ host }: Pick<Context, "host">, python: string): Promise<string | undefined> {
  const asked = await host.run([python, "-I", "-c", versionScript], { timeoutSeconds: versionSeconds });
  return asked.exitCode === 0 ? asked.stdout.trim() : undefined;
}

/**
 * @param versions of the environment, as {@link findVersions} tells
 * @throws BerthError `host-unsuitable` for an environment whose Ray cannot be a node of the cluster
 */
export function assertVersions(
  { host }: Pick<Context, "host">,
  { name, head, backend, backendVersion }: SubordinateInputs,
  versions: string | undefined,
): void {
  const refuse = (what: string, expected: string, hint: string) => {
    const got = versions ?? "none";
    throw new BerthError("host-unsuitable", { where: `host ${host.name}: ${name}`, what, got, expected, hint });
  };
  const ray = /^ray (\S+),/.exec(versions ?? "")?.[1];
  if (ray === undefined || compareVersions(ray, leastRay) < 0)
    refuse(
      `the environment of ${backend} ${backendVersion} has no Ray that knows its nodes by a token`,
      `ray ${leastRay} or later`,
      "take a version of the backend with such a Ray, or pin one in its backend file",
    );
  if (head !== undefined && versions !== head.versions)
    refuse(
      "not all nodes of the Ray cluster have the same versions",
      `${head.versions}, as the head has`,
      "give the hosts the same Python, and the backend file a lock of all packages; an environment that was changed by hand is mended by `pulumi up`",
    );
}

export interface ClusterNode {
  /** Of this start of it. */
  readonly id: string;
  readonly address: string;
}

export type ClusterAnswer =
  | { readonly kind: "nodes"; readonly nodes: readonly ClusterNode[] }
  /** It does not answer, or not to this token. */
  | { readonly kind: "silent"; readonly why: string };

export interface ClusterQuestion {
  readonly python: string;
  /** Of its control store: `ADDRESS:PORT`. */
  readonly headAddress: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Which nodes the cluster takes for alive: one that was killed for some seconds more. */
export async function askCluster(
  { host, signal }: Pick<Context, "host" | "signal">,
  { python, headAddress, environment }: ClusterQuestion,
): Promise<ClusterAnswer> {
  const asked = await host.run([python, "-I", "-c", nodesScript, headAddress], {
    env: { ...environment, RAY_py_gcs_connect_timeout_s: "5" },
    timeoutSeconds: askSeconds,
    signal,
  });
  if (asked.exitCode === 0) return { kind: "nodes", nodes: readNodes(asked.stdout) };
  return { kind: "silent", why: lastLines(asked.stderr, 3) };
}

function readNodes(text: string): ClusterNode[] {
  return [...text.matchAll(/^(\S+) (\S+)$/gm)].map(([, id = "", address = ""]) => ({ id, address }));
}
