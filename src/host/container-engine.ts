import { lastLines } from "../lib/format.js";
import type { HostFacts } from "../schema/facts.js";
import { jsonText, parseJson, valueAt } from "./accelerators/json.js";
import type { Host } from "./host.js";

const engineSeconds = 15;

type ContainerEngine = NonNullable<HostFacts["containerEngine"]>;

/** What the engine at a host's socket says of itself. */
export interface DockerSight {
  readonly engine?: ContainerEngine | undefined;
  /** Why it is of no use, and what to do. */
  readonly problem?: { readonly what: string; readonly hint: string } | undefined;
  /** Ports of the host that lead into its running containers. */
  readonly publishedPorts: readonly number[];
}

/** Asks the engine at a host's own socket; undefined where there is no such socket. */
export type LookAtDocker = (host: Host) => Promise<DockerSight | undefined>;

/**
 * The container engine of a host: the one at its socket, which runs containers, else what the commands of Docker and
 * Podman tell of. One that is there and cannot be used is a warning, and its facts say why.
 */
export async function findContainerEngine(
  host: Pick<Host, "run">,
  sight?: DockerSight,
): Promise<{ containerEngine?: ContainerEngine; warnings: readonly string[] }> {
  if (sight?.engine !== undefined && sight.problem === undefined)
    return { containerEngine: sight.engine, warnings: [] };
  const [docker, podman] = await Promise.all([
    ask(host, ["docker", "version", "--format", "{{json .}}"]),
    ask(host, ["podman", "version", "--format", "json"]),
  ]);
  const told = sight?.engine ?? docker.engine ?? podman.engine;
  if (sight?.problem === undefined) {
    const known = told === undefined ? {} : { containerEngine: told };
    return { ...known, warnings: [...docker.warnings, ...podman.warnings] };
  }
  const { what, hint } = sight.problem;
  const containerEngine = { ...(told ?? { engine: "docker" as const, version: "unknown" }), problem: { what, hint } };
  return { containerEngine, warnings: [`${what}; ${hint}`] };
}

async function ask(
  host: Pick<Host, "run">,
  argv: readonly ["docker" | "podman", ...string[]],
): Promise<{ engine?: ContainerEngine; warnings: readonly string[] }> {
  const { exitCode, stdout, stderr } = await host.run(argv, { timeoutSeconds: engineSeconds });
  if (exitCode === 127) return { warnings: [] };
  const engine = argv[0] === "docker" ? readDockerVersion(stdout) : readPodmanVersion(stdout);
  if (engine !== undefined) return { engine, warnings: [] };
  const reason = exitCode === 124 ? `no answer within ${engineSeconds} s` : lastLines(stderr.trim(), 1);
  return { warnings: [`${argv[0]} is installed, but does not answer: ${reason === "" ? "no reason given" : reason}`] };
}

/**
 * `docker version --format '{{json .}}'`: the server has a part of its own, which is null when it cannot be reached.
 * Podman answers to `docker` too where its package for that is installed, and says so.
 */
export function readDockerVersion(text: string): ContainerEngine | undefined {
  const server = valueAt(parseJson(text), "Server");
  const version = jsonText(server, "Version");
  if (version === undefined || version === "") return undefined;
  const apiVersion = jsonText(server, "ApiVersion") ?? jsonText(server, "APIVersion");
  const isPodman = JSON.stringify(server).includes("Podman Engine");
  return { engine: isPodman ? "podman" : "docker", version, ...(apiVersion === undefined ? {} : { apiVersion }) };
}

/** `podman version --format json`: the client is the engine, unless it is set to use one elsewhere. */
export function readPodmanVersion(text: string): ContainerEngine | undefined {
  const json = parseJson(text);
  const part = valueAt(json, "Server") ?? valueAt(json, "Client");
  const version = jsonText(part, "Version");
  if (version === undefined || version === "") return undefined;
  const apiVersion = jsonText(part, "APIVersion");
  return { engine: "podman", version, ...(apiVersion === undefined ? {} : { apiVersion }) };
}
