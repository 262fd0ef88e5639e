/** What a Prometheus scrapes of a stack, as its file_sd reads it. Pure. */
import type { LockFile } from "../schema/lock.js";
import { addressOf, reachedAt } from "./gateway-address.js";
import type { DesiredStack } from "./desired.js";
import { machineOf } from "./port-placement.js";

/** One entry of a file_sd. */
export interface ScrapeTarget {
  readonly targets: readonly [string];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ScrapeList {
  readonly targets: readonly ScrapeTarget[];
  /** What has metrics and is not in the list, and why, one sentence each. */
  readonly leftOut: readonly string[];
}

export interface ScrapeProblem {
  readonly stack: string;
  readonly hosts: LockFile["placement"]["hosts"];
  readonly desired: Pick<DesiredStack, "instances" | "modelGateways">;
  /** The host that Prometheus runs on; undefined for this machine. */
  readonly from: string | undefined;
  /** Whether hosts have exporters for themselves and their devices. */
  readonly exporters: boolean;
}

/** Ports by which exporters listen unless they are told otherwise. */
const hostExporterPort = 9100;
const deviceExporterPorts: Readonly<Record<string, number>> = { cuda: 9400, rocm: 5000 };

/** What there is and answers there; what does not is told. */
export function scrapeTargets(problem: ScrapeProblem): ScrapeList {
  const found = [...gatewayTargets(problem), ...engineTargets(problem), ...exporterTargets(problem)];
  return {
    targets: found.flatMap((each) => ("address" in each ? [targetOf(each)] : [])),
    leftOut: found.flatMap((each) => ("leftOut" in each ? [each.leftOut] : [])),
  };
}

type Found =
  | { readonly address: string; readonly port: number; readonly labels: Readonly<Record<string, string>> }
  | { readonly leftOut: string };

function targetOf({ address, port, labels }: Extract<Found, { address: string }>): ScrapeTarget {
  return { targets: [`${address.includes(":") ? `[${address}]` : address}:${port}`], labels };
}

function gatewayTargets(problem: ScrapeProblem): Found[] {
  const { stack, desired } = problem;
  return desired.modelGateways.map(({ host, metrics }) => {
    const address = addressFrom(problem, host.name, metrics.address);
    if (address === undefined) return notReached(`the gateway on ${host.name}`, host.name);
    return { address, port: metrics.port, labels: { stack, host: host.name, part: "gateway" } };
  });
}

function engineTargets(problem: ScrapeProblem): Found[] {
  const { stack, desired } = problem;
  return desired.instances.flatMap((instance): Found[] => {
    const { name, host, placed, release, argv } = instance;
    const { backend, apiKeyVariable = "", servedModel = placed.deployment } = release;
    const environment = { ...release.env, ...instance.env };
    if (!tellsMetrics(backend, argv, environment)) return [];
    if (guardsMetrics(backend) && placed.secretEnv[apiKeyVariable] !== undefined)
      return [{ leftOut: `${name}: its engine asks for the API key at /metrics too` }];
    const address = addressFrom(problem, host.name, placed.bindAddress);
    if (address === undefined) return [notReached(name, host.name)];
    const { deployment } = placed;
    const labels = { stack, deployment, instance: name, host: host.name, model: servedModel, part: "engine" };
    return [{ address, port: placed.port, labels: { ...labels, backend } }];
  });
}

/** vLLM always has metrics; llama.cpp and SGLang have them when they are told to. Of other engines nothing is known. */
function tellsMetrics(backend: string, argv: readonly string[], env: Readonly<Record<string, string>>): boolean {
  switch (backend) {
    case "vllm":
      return true;
    case "llama-cpp":
      return (
        argv.includes("--metrics") || ["1", "true", "on", "enabled"].includes(env.LLAMA_ARG_ENDPOINT_METRICS ?? "")
      );
    case "llama-box":
      return argv.includes("--metrics");
    case "sglang":
      return argv.includes("--enable-metrics");
    default:
      return false;
  }
}

/** llama.cpp's server asks for its key everywhere but at its health; vLLM below `/v1` alone. */
function guardsMetrics(backend: string): boolean {
  return backend !== "vllm";
}

function exporterTargets(problem: ScrapeProblem): Found[] {
  const { stack, hosts, exporters } = problem;
  if (!exporters) return [];
  return Object.entries(hosts).flatMap(([host, { facts }]): Found[] => {
    // Exporters listen at all addresses unless they are told otherwise.
    const address = addressFrom(problem, host, "0.0.0.0");
    if (address === undefined) return [notReached(`exporters of ${host}`, host)];
    const types = new Set(facts.accelerators.map(({ type }) => type));
    const devices = [...types].flatMap((type) => {
      const port = deviceExporterPorts[type];
      return port === undefined ? [] : [{ address, port, labels: { stack, host, part: "devices" } }];
    });
    return [{ address, port: hostExporterPort, labels: { stack, host, part: "host" } }, ...devices];
  });
}

/** The address at which what listens on a host answers to Prometheus; undefined when it does not. */
function addressFrom({ hosts, from }: ScrapeProblem, on: string, bindAddress: string): string | undefined {
  const there = hosts[on] ?? {};
  const here = { name: from ?? "", machine: machineOf(from === undefined ? undefined : hosts[from]) };
  return reachedAt({ bindAddress, host: on }, here, { machine: machineOf(hosts[on]), address: addressOf(there) });
}

function notReached(what: string, host: string): Found {
  return {
    leftOut: `${what} is reached on its host alone: see \`berth metrics --from ${host}\` for a Prometheus there`,
  };
}
