import { lastLines } from "../lib/format.js";
import type { HostFacts } from "../schema/facts.js";
import { jsonText, parseJson, valueAt } from "./accelerators/json.js";
import type { Host } from "./host.js";

const engineSeconds = 15;

type ContainerEngine = NonNullable<HostFacts["containerEngine"]>;

/** The container engine of a host: Docker, else Podman; one that is there and does not answer is a warning. */
export async function findContainerEngine(
  host: Pick<Host, "run">,
): Promise<{ containerEngine?: ContainerEngine; warnings: readonly string[] }> {
  const [docker, podman] = await Promise.all([
    ask(host, ["docker", "version", "--format", "{{json .}}"]),
    ask(host, ["podman", "version", "--format", "json"]),
  ]);
  const containerEngine = docker.engine ?? podman.engine;
  return {
    ...(containerEngine === undefined ? {} : { containerEngine }),
    warnings: [...docker.warnings, ...podman.warnings],
  };
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
