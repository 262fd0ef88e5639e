/** A node of an instance's Ray cluster: what is run, the token by which its processes know each other, and how it does. */
import { posix } from "node:path";

import type { Installation } from "../install/installation.js";
import { defined } from "../lib/record.js";
import { socketFolder } from "../runtime/socket-path.js";
import { isAlive, type RunnerSpec } from "../runtime/supervisor.js";
import type { Context } from "./kind.js";
import { askCluster, type ClusterAnswer } from "./ray-cluster.js";
import type { SubordinateInputs } from "./subordinate-inputs.js";
import { notUp, partDefinition, specOfPart, subordinateFolder, type PartSpecs } from "./subordinate-part.js";

type RayInputs = SubordinateInputs & { readonly ray: NonNullable<SubordinateInputs["ray"]> };

const pollSeconds = 0.5;

/**
 * `ray`, in a folder that nobody else can enter: Ray opens its own below it to everybody. And without its client server:
 * where an environment has gRPC that would listen at a port which every head has.
 */
const rayCommand = `import os, stat, sys
folder = os.environ["BERTH_RAY_FOLDER"]
if not os.path.lexists(folder):
    os.makedirs(folder, 0o700)
found = os.lstat(folder)
if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
    sys.exit(f"{folder} is not this user's own folder")
os.chmod(folder, 0o700)
sys.modules["grpc"] = None
from ray.scripts.scripts import main
sys.exit(main())`;

/** Ray's own folder, in the one that is this user's. */
const tempFolder = "r";

/** The longest that Ray makes there. */
const longestSocket = `${tempFolder}/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store`;

/** In which Ray has its sockets and logs; a session of its own for each start. @param folder the subordinate's */
export function rayFolder(folder: string): string {
  return socketFolder(posix.join(partDefinition(folder, "node").folder, "ray"), longestSocket);
}

/** The file with the cluster's token. @param folder the subordinate's */
export function tokenPath(folder: string): string {
  return posix.join(folder, "token");
}

export function raySpecs(
  { ray, head, placement, address, port, env }: RayInputs,
  engine: Installation,
  folder: string,
): PartSpecs {
  const role =
    ray.role === "head"
      ? ["--head", "--port", String(port), "--include-dashboard", "false"]
      : ["--address", ray.headAddress, "--node-manager-port", String(port)];
  const python = posix.join(posix.dirname(engine.executable), "python");
  const argv = [
    ...[python, "-I", "-c", rayCommand, "start", "--block", "--disable-usage-stats"],
    ...["--node-ip-address", address, ...role],
    ...["--num-gpus", String(ray.devices), "--num-cpus", String(Math.max(1, ray.devices))],
    // Ray's own range would be in the way of instances'. 0 is any port that is free.
    ...["--min-worker-port", "0", "--max-worker-port", "0", "--dashboard-agent-listen-port", "0"],
    ...["--temp-dir", posix.join(rayFolder(folder), tempFolder)],
  ];
  const environment = {
    ...env,
    ...tokenVariables(folder),
    BERTH_RAY_FOLDER: rayFolder(folder),
    // What a node does for its last requests: its primary has ended before.
    RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S: "0",
    // A member is in no cluster any more when the head was started again, and its workers have what they loaded.
    ...defined({ BERTH_RAY_HEAD: head?.start, BERTH_MODEL_PLACEMENT: placement }),
  };
  return new Map([["node", specOfPart(folder, "node", argv, environment)]]);
}

function tokenVariables(folder: string): Record<string, string> {
  return { RAY_AUTH_MODE: "token", RAY_AUTH_TOKEN_PATH: tokenPath(folder) };
}

function newToken({ newId }: Context): string {
  return Array.from({ length: 4 }, newId).join("");
}

/** The cluster's token, as the host has it. */
export async function readToken({ host, reference }: Context, { owner, name }: SubordinateInputs) {
  const text = await host.readText(tokenPath(subordinateFolder(reference, owner, name)));
  return text === undefined || text === "" ? undefined : text;
}

/** What of a node that runs is not as it should be. */
export async function lookAtNode(context: Context, inputs: SubordinateInputs, spec: RunnerSpec): Promise<string[]> {
  const token = await readToken(context, inputs);
  if (token === undefined || (inputs.token !== undefined && inputs.token !== token))
    return ["the token of its Ray cluster was changed"];
  const answer = await ask(context, inputs, spec);
  if (answer.kind === "silent") return ["its Ray cluster does not answer"];
  return idsAt(inputs, answer).length > 0 ? [] : ["its node is not in its Ray cluster"];
}

function ask(context: Context, { ray }: SubordinateInputs, spec: RunnerSpec): Promise<ClusterAnswer> {
  const { folder, headAddress = "" } = { folder: posix.dirname(spec.folder), ...ray };
  return askCluster(context, { python: spec.argv[0] ?? "", headAddress, environment: tokenVariables(folder) });
}

/** What the cluster has at the node's address. */
function idsAt({ address }: SubordinateInputs, answer: ClusterAnswer): string[] {
  return answer.kind === "nodes" ? answer.nodes.filter((node) => node.address === address).map(({ id }) => id) : [];
}

/** Starts the node; resolves when its cluster has it. @throws BerthError `runner-failed` */
export async function startNode(context: Context, inputs: SubordinateInputs, spec: RunnerSpec): Promise<void> {
  const { host, reference, supervisor, clock, signal } = context;
  const folder = subordinateFolder(reference, inputs.owner, inputs.name);
  const keeper = supervisor(inputs.runtime);
  await host.remove(rayFolder(folder));
  await host.makeDirectory(spec.folder, 0o700);
  const token = inputs.token ?? (await readToken(context, inputs)) ?? newToken(context);
  await host.writeFile(tokenPath(folder), token, 0o600);
  await keeper.prepare();
  // A head begins its cluster, where nothing is from before.
  const before = inputs.ray?.role === "head" ? [] : idsAt(inputs, await ask(context, inputs, spec));
  await keeper.start(spec);
  const until = clock.now().getTime() + spec.startSeconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    const { state } = await keeper.observe(spec);
    if (!isAlive(state)) throw await notUp(context, inputs, spec, "its Ray node does not start");
    const answer = state.kind === "running" ? await ask(context, inputs, spec) : undefined;
    if (answer !== undefined && idsAt(inputs, answer).some((id) => !before.includes(id))) return;
    if (clock.now().getTime() >= until) {
      const said = answer?.kind === "silent" ? answer.why : "";
      throw await notUp(context, inputs, spec, `its node is not in its Ray cluster after ${spec.startSeconds} s`, said);
    }
    await clock.sleep(pollSeconds);
  }
}
