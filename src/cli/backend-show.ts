import {
  isUnpinned,
  summarizeVersion,
  type ExampleCommand,
  type InstallSummary,
  type VersionSummary,
} from "../catalog/backend-summary.js";
import type { BackendSource } from "../catalog/catalogue.js";
import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import { describeSelector } from "../planner/selector.js";
import type { BackendFile } from "../schema/backend.js";
import { readBackends, satisfiesOf } from "./backend-files.js";
import { plainTable } from "./table.js";
import { packageRoot, type Workplace } from "./workplace.js";

/** A row of `berth backend list`. */
export interface BackendRow {
  readonly name: string;
  readonly source: BackendSource;
  readonly defaultVersion: string | undefined;
  readonly versions: number;
  /** Versions that the lock has to find a digest, a hash or requirements for. */
  readonly unpinned: number;
}

/** Lists the backends that the project can use. */
export function listBackends(workplace: Workplace, options: { json?: boolean }): void {
  const { backends, sources } = readBackends(workplace.root, packageRoot);
  const rows = Object.values(backends)
    .map((backend): BackendRow => {
      const { name, defaultVersion, versions } = backend;
      const entries = Object.values(versions);
      const unpinned = entries.filter(isUnpinned).length;
      return { name, source: sources[name] ?? "project", defaultVersion, versions: entries.length, unpinned };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  workplace.print(options.json === true ? JSON.stringify(rows, undefined, 2) : formatRows(rows));
}

function formatRows(rows: readonly BackendRow[]): string {
  return plainTable(
    ["BACKEND", "SOURCE", "DEFAULT VERSION", "VERSIONS", "UNPINNED"],
    rows.map(({ name, source, defaultVersion = "-", versions, unpinned }) => {
      return [name, source, defaultVersion, String(versions), String(unpinned)];
    }),
  );
}

export interface ShowOptions {
  version?: string;
  json?: boolean;
}

/** Shows a backend: its versions, how each is installed, and what an example deployment of it would run. */
export function showBackend(workplace: Workplace, name: string, options: ShowOptions): void {
  const { backends, sources } = readBackends(workplace.root, packageRoot);
  const backend = lookUp(backends, name);
  if (backend === undefined) {
    throw new BerthError("backend-unknown", {
      what: "no backend has this name",
      got: name,
      expected: Object.keys(backends).sort().join(", "),
    });
  }
  const names = versionNames(backend, options.version);
  const versions = names.flatMap((version) => {
    const entry = lookUp(backend.versions, version);
    return entry === undefined ? [] : [summarizeVersion(backend, version, entry, satisfiesOf(backend))];
  });
  const source = sources[name] ?? "project";
  const { description, defaultVersion, hostSelector } = backend;
  workplace.print(
    options.json === true
      ? JSON.stringify({ name, source, description, defaultVersion, hostSelector, versions }, undefined, 2)
      : formatBackend(backend, source, versions),
  );
}

/** A leading `v` counts for nothing. */
function versionNames({ name, versions }: BackendFile, wanted: string | undefined): string[] {
  const all = Object.keys(versions);
  if (wanted === undefined) return all;
  const bare = (version: string) => version.replace(/^v(?=\d)/, "");
  const found = all.find((version) => version === wanted) ?? all.find((version) => bare(version) === bare(wanted));
  if (found !== undefined) return [found];
  throw new BerthError("backend-unknown", {
    what: `the backend ${name} has no such version`,
    got: wanted,
    expected: all.join(", "),
  });
}

function formatBackend(backend: BackendFile, source: BackendSource, versions: readonly VersionSummary[]): string {
  const { name, description, defaultVersion = "none", hostSelector } = backend;
  const labels = describeSelector(hostSelector);
  return [
    `${name} (${source})${description === "" ? "" : `: ${description.split("\n")[0] ?? ""}`}`,
    `default version ${defaultVersion}${labels === "" ? "" : `, on hosts with ${labels}`}`,
    ...versions.map((version) => `\n${formatVersion(version)}`),
  ].join("\n");
}

function formatVersion({ version, installs, env, healthPath, healthRequest, commands }: VersionSummary): string {
  const variables = Object.entries(env).map(([variable, value]) => `${variable}=${JSON.stringify(value)}`);
  const health = healthRequest === undefined ? "" : `, then ${healthRequest.method} ${healthRequest.path}`;
  return [
    version,
    ...(installs.length === 0 ? ["  nothing installs it"] : []),
    ...installs.map((install) => `  ${formatInstall(install)}`),
    ...(variables.length === 0 ? [] : [`  env        ${variables.join(" ")}`]),
    `  health     GET ${healthPath}${health}`,
    ...commands.flatMap(formatCommand).map((line) => `  ${line}`),
  ].join("\n");
}

function formatInstall({ method, os, arch, acceleratorTypes, artifact, pin }: InstallSummary): string {
  const places = [os, arch, acceleratorTypes ?? ["any accelerator"]].filter((list) => list.length > 0);
  const pinned = pin === undefined ? (method === "manual" ? "as it is found" : "unpinned") : `pinned by ${pin}`;
  return `${method.padEnd(10)} ${artifact}  (${places.map((list) => list.join(" ")).join("; ")})  ${pinned}`;
}

/** Vectors as JSON: what a shell would make of them is nobody's question here. */
function formatCommand(example: ExampleCommand): string[] {
  const { form } = example;
  if ("problem" in example) return [`${form.padEnd(10)} cannot be run: ${example.problem}`];
  const { entrypoint, argv } = example.command;
  if (form === "process") return [`${form.padEnd(10)} ${JSON.stringify(argv)}`];
  const first = entrypoint === undefined ? "the image's own" : JSON.stringify(entrypoint);
  return [`${form.padEnd(10)} entrypoint ${first}`, `${"".padEnd(10)} arguments  ${JSON.stringify(argv)}`];
}
