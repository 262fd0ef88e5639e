import type { Json } from "../lib/canonical.js";
import { findSecretPlaces, withoutSecrets } from "./backend-secrets.js";
import { convertModel, type ConvertedDeployment } from "./reference-deployment.js";
import type { ReferenceItem, ReferenceWorker } from "./reference-export.js";
import { fromReference, type ReferenceBackend } from "./reference-format.js";
import { backendName, berthName } from "./reference-name.js";
import { stripWords } from "./secret-words.js";

/** A backend file, from a backend of GPUStack. */
export interface ConvertedBackend {
  readonly name: string;
  readonly versions: readonly string[];
  readonly defaultParameters: readonly string[];
  /** What its file is to say, without secrets. */
  readonly written: Json;
  readonly notes: readonly string[];
}

/** A host, from a worker of GPUStack. */
export interface ConvertedHost {
  readonly name: string;
  /** What it is there, for people. */
  readonly description: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A project, from an export of GPUStack. */
export interface ConvertedProject {
  readonly backends: readonly ConvertedBackend[];
  readonly deployments: readonly ConvertedDeployment[];
  readonly hosts: readonly ConvertedHost[];
  /** What is told of nothing of the above; each with what it is about. */
  readonly notes: readonly string[];
}

/**
 * Everything of an export as Berth says it.
 *
 * @param types all accelerator types
 * @throws BerthError `command-invalid` for parameters that cannot be split
 */
export function convertExport(items: readonly ReferenceItem[], types: readonly string[]): ConvertedProject {
  const notes: string[] = [];
  const models = items.filter((item) => item.kind === "model");
  const used = new Set(models.map(({ value }) => value.backend ?? ""));
  const sources = items.filter((item) => item.kind === "backend").map(({ value }) => value);
  const backends = convertBackends(sources, used, types, notes);
  const defaults = new Map(backends.map((backend) => [backend.name, backend.defaultParameters]));
  const names = new Set<string>();
  const deployments: ConvertedDeployment[] = [];
  for (const { value, isOld } of models) {
    if (value.replicas === 0) {
      notes.push(`model ${value.name}: it has no replicas, so there is no deployment of it`);
      continue;
    }
    const name = uniqueName(value.name, "model", names);
    const defaultParameters = defaults.get(backendName(value.backend ?? "")) ?? [];
    deployments.push(convertModel(value, { name, isOld, defaultParameters }));
  }
  const hostNames = new Set<string>();
  const workers = items.filter((item) => item.kind === "worker");
  const hosts = workers.map(({ value }) => convertWorker(value, uniqueName(value.name, "host", hostNames), notes));
  const others = items.flatMap((item) => (item.kind === "other" ? [item.what] : []));
  const placed = hosts.length < 2 ? deployments : deployments.map((each) => withoutHost(each, hosts));
  return { backends, deployments: placed, hosts, notes: [...notes, ...new Set(others)] };
}

/** GPUStack places at run time; here a deployment is on the host that it names. */
function withoutHost(deployment: ConvertedDeployment, hosts: readonly ConvertedHost[]): ConvertedDeployment {
  const text = `the host it runs on, as \`host\`: ${hosts.map(({ name }) => name).join(" or ")}`;
  return { ...deployment, toComplete: [...deployment.toComplete, text] };
}

/** A name as Berth has it that no other thing has taken. */
function uniqueName(given: string, fallback: string, taken: Set<string>): string {
  const base = berthName(given).slice(0, 58).replace(/-+$/, "") || fallback;
  let name = base;
  for (let number = 2; taken.has(name); number += 1) name = `${base}-${number}`;
  taken.add(name);
  return name;
}

function convertBackends(
  backends: readonly ReferenceBackend[],
  used: ReadonlySet<string>,
  types: readonly string[],
  notes: string[],
): ConvertedBackend[] {
  const converted: ConvertedBackend[] = [];
  for (const backend of backends) {
    const { backend_name: given } = backend;
    const isOffered = backend.backend_source === "community" && backend.enabled !== true && !used.has(given);
    const versions = [backend.version_configs, backend.built_in_version_configs].flatMap((configs) =>
      Object.values(configs ?? {}),
    );
    if (isOffered) notes.push(`backend ${given}: it is offered there, but not enabled`);
    else if (!versions.some(({ image_name: image }) => typeof image === "string" && image !== "")) {
      notes.push(`backend ${given}: it has no versions of your own; Berth's own are taken`);
    } else if (converted.some(({ name }) => name === backendName(given))) {
      notes.push(`backend ${given}: another one has the same name, and this one is left out`);
    } else converted.push(convertBackend(backend, types));
  }
  return converted;
}

function convertBackend(backend: ReferenceBackend, types: readonly string[]): ConvertedBackend {
  const { file, notes } = fromReference(
    backend,
    (path) => [`backend ${backend.backend_name}`, ...path].join(" "),
    types,
  );
  const secrets = findSecretPlaces(file);
  return {
    name: file.name,
    versions: Object.keys(file.versions),
    defaultParameters: stripWords(file.defaultParameters ?? []).words,
    written: withoutSecrets(file, secrets),
    notes: [
      ...notes.map(({ path, text }) => (path.length > 1 ? `${path.slice(1).join(".")}: ${text}` : text)),
      ...secrets.map(({ text: told }) => told),
    ],
  };
}

/** Labels that Berth knows by itself. */
const ownLabels = new Set(["os", "arch", "worker-name"]);

function convertWorker(worker: ReferenceWorker, name: string, notes: string[]): ConvertedHost {
  const { ram = 0, vram = 0 } = worker.system_reserved ?? {};
  if (ram > 0 || vram > 0) notes.push(`worker ${worker.name}: memory that it keeps for the system has no counterpart`);
  if (worker.maintenance?.enabled === true) notes.push(`worker ${worker.name}: it is in maintenance`);
  const devices = new Map<string, number>();
  for (const { name: device, vendor, type } of worker.status?.gpu_devices ?? []) {
    const text = `${device ?? vendor ?? "GPU"}${type === undefined || type === "" ? "" : ` (${type})`}`;
    devices.set(text, (devices.get(text) ?? 0) + 1);
  }
  const system = [worker.status?.os?.name, worker.status?.os?.version].filter(
    (text) => text !== undefined && text !== "",
  );
  const parts = [system.join(" "), ...[...devices].map(([device, count]) => `${count} x ${device}`)];
  return {
    name,
    description: parts.filter((part) => part !== "").join(", "),
    address: worker.advertise_address ?? worker.ip ?? worker.hostname ?? "",
    labels: Object.fromEntries(Object.entries(worker.labels ?? {}).filter(([label]) => !ownLabels.has(label))),
  };
}
