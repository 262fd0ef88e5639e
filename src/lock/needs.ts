/** What a lock needs that comes from elsewhere. Pure. */
import { releaseAddress } from "../catalog/release-address.js";
import type { PythonTool } from "../install/python.js";
import { sha256 } from "../lib/canonical.js";
import { desiredStack, type DesiredBackendVersion, type DesiredModel, type DesiredStack } from "../planner/desired.js";
import { platformOf } from "../planner/desired-image.js";
import type { ImagePlatforms, LockedInstall, LockFile } from "../schema/lock.js";
import type { LockedModel } from "../schema/model.js";
import { labelOf } from "../model/repository.js";
import { readPins, type RequirementPin } from "./requirement-pins.js";

type Locked<Method extends LockedInstall["method"]> = Extract<LockedInstall, { method: Method }>;
export type Platform = keyof ImagePlatforms;

/** A host that something is for. */
export interface NeedyHost {
  readonly name: string;
  readonly platform: Platform;
  /** Its Python's version, where it has one. */
  readonly python?: string | undefined;
}

interface Needed {
  /** For people: `vllm 0.11.2`. */
  readonly of: string;
  readonly hosts: readonly NeedyHost[];
}

export interface ImageNeed extends Needed {
  readonly reference: string;
  readonly digest: string;
  /** Its name at the place it is pulled from: the mirror's, or its own. */
  readonly from: string;
  readonly platforms: ImagePlatforms | undefined;
}

/** One file of a release, with its address at the mirror if there is one. */
export interface ArchiveNeed extends Needed, Omit<Locked<"binary">["artifacts"][number], "signature"> {
  readonly backend: string;
  readonly version: string;
}

export interface PackagesNeed extends Needed {
  /** Undefined for a backend; else what Berth itself installs them for. */
  readonly tool: PythonTool | undefined;
  readonly requirements: Locked<"pipx">["requirements"];
  readonly launcher: Locked<"pipx">["launcher"];
  /** Undefined where the text of the requirements is not known. */
  readonly pins: readonly RequirementPin[] | undefined;
  readonly indexUrl: string | undefined;
}

export interface ModelNeed extends Needed {
  /** From the mirror of its hub if there is one. */
  readonly model: LockedModel;
  readonly indexUrl: string | undefined;
  /** Name of the secret with which it is fetched. */
  readonly token: string | undefined;
}

/** An executable that an administrator puts on the host. */
export interface ExecutableNeed extends Needed {
  readonly sha256: string | undefined;
}

export interface Needs {
  readonly images: readonly ImageNeed[];
  readonly archives: readonly ArchiveNeed[];
  readonly packages: readonly PackagesNeed[];
  readonly models: readonly ModelNeed[];
  readonly executables: readonly ExecutableNeed[];
}

/** Texts that tell which packages are needed. */
export interface RequirementTexts {
  /** Of backends, by their SHA-256. */
  readonly backends: ReadonlyMap<string, string>;
  /** Of Berth's own tools. */
  readonly tools: ReadonlyMap<PythonTool, string>;
}

const noTexts: RequirementTexts = { backends: new Map(), tools: new Map() };

/** Everything that the hosts of a lock need, each thing once, in an order that does not change. */
export function needsOf(lock: LockFile, texts: RequirementTexts = noTexts): Needs {
  const desired = desiredStack(lock, "/");
  const { backendVersions, models } = desired;
  const platforms = knownPlatforms(lock);
  const hostOf = (name: string) => needyHost(lock, name);
  const on = <Method extends LockedInstall["method"]>(method: Method) =>
    backendVersions.flatMap((version) => {
      const { install, host } = version;
      if (!isBy(install, method)) return [];
      const of = `${version.backend} ${version.version}`;
      return [{ version, install, needed: { of, hosts: [hostOf(host.name)] } }];
    });
  return {
    images: merged(
      on("image").map(({ version, install: { reference, digest }, needed }) => {
        const from = version.image?.pullFrom ?? reference;
        return [`${reference}@${digest}`, { ...needed, reference, digest, from, platforms: platforms.get(digest) }];
      }),
    ),
    archives: merged(on("binary").flatMap(({ version, install, needed }) => archivesOf(version, install, needed))),
    packages: merged([
      ...on("pipx").map(({ version: { indexUrl }, install: { requirements, launcher }, needed }) => {
        const text = texts.backends.get(requirements.sha256);
        const pins = text === undefined ? undefined : readPins(text);
        const need: PackagesNeed = { ...needed, tool: undefined, requirements, launcher, pins, indexUrl };
        return [`${requirements.sha256} ${needed.of}`, need] as const;
      }),
      ...toolNeeds(lock, desired, texts.tools),
    ]),
    models: merged(models.map((model) => [model.model.sha256, modelNeed(model, hostOf(model.host.name))])),
    executables: merged(on("manual").map(({ install: { sha256 }, needed }) => [needed.of, { ...needed, sha256 }])),
  };
}

/** Of what all hosts need what one of them needs. */
export function needsOn(needs: Needs, host: string): Needs {
  const here = <Need extends Needed>(all: readonly Need[]): Need[] =>
    all.flatMap((need) => {
      const hosts = need.hosts.filter(({ name }) => name === host);
      return hosts.length === 0 ? [] : [{ ...need, hosts }];
    });
  return {
    images: here(needs.images),
    archives: here(needs.archives),
    packages: here(needs.packages),
    models: here(needs.models),
    executables: here(needs.executables),
  };
}

/** What hosts with pipx environments, or with supervisord, need of Berth's own tools. */
function toolNeeds(
  lock: LockFile,
  { backendVersions, instances, subordinates, gateways, modelGateways }: DesiredStack,
  texts: RequirementTexts["tools"],
): [string, PackagesNeed][] {
  const on = (hosts: readonly { readonly host: { readonly name: string } }[], tools: readonly PythonTool[]) =>
    hosts.flatMap(({ host }) => tools.map((tool) => ({ tool, host: host.name })));
  const supervised = [
    ...[...instances, ...subordinates].filter(({ placed }) => placed.runtime === "supervisord"),
    ...[...gateways, ...modelGateways].filter(({ runtime }) => runtime === "supervisord"),
  ];
  const wanted = [
    ...on(
      backendVersions.filter(({ install }) => isBy(install, "pipx")),
      ["pip", "pipx"],
    ),
    ...on(supervised, ["pip", "supervisor"]),
  ];
  return wanted.flatMap(({ tool, host }): [string, PackagesNeed][] => {
    const text = texts.get(tool);
    if (text === undefined) return [];
    const requirements = { file: `tools/python/${tool}.txt`, sha256: sha256(text) };
    const { indexUrl } = lock.placement;
    const needed = { of: `Berth's own ${tool}`, hosts: [needyHost(lock, host)] };
    return [[`tool ${tool}`, { ...needed, tool, requirements, launcher: undefined, pins: readPins(text), indexUrl }]];
  });
}

type DesiredInstall = DesiredBackendVersion["install"];

function isBy<Method extends DesiredInstall["method"]>(
  install: DesiredInstall,
  method: Method,
): install is Extract<DesiredInstall, { method: Method }> {
  return install.method === method;
}

function needyHost({ placement }: LockFile, name: string): NeedyHost {
  const facts = placement.hosts[name]?.facts;
  if (facts === undefined) throw new Error(`the lock's parts do not fit: host ${name}`);
  return { name, platform: platformOf(facts), python: facts.python?.version };
}

/** Of a release only what the host needs is left; several files for one platform are the first. */
function archivesOf(
  { backend, version, downloadBaseUrl }: DesiredBackendVersion,
  { artifacts }: Extract<DesiredInstall, { method: "binary" }>,
  needed: Needed,
): [string, ArchiveNeed][] {
  return artifacts.slice(0, 1).map(({ signature: _, ...file }) => {
    const url = releaseAddress(file.url, downloadBaseUrl);
    return [file.sha256, { ...needed, ...file, url, backend, version }];
  });
}

function modelNeed({ model, indexUrl, hubEndpoint, token }: DesiredModel, host: NeedyHost): ModelNeed {
  const { from } = model;
  const atMirror = from.source === "huggingface" ? { ...from, endpoint: from.endpoint ?? hubEndpoint } : from;
  return { of: labelOf(model), hosts: [host], model: { ...model, from: atMirror }, indexUrl, token };
}

function knownPlatforms({ release, preload = {} }: LockFile): ReadonlyMap<string, ImagePlatforms> {
  const engines = [...Object.values(release), ...Object.values(preload).flatMap(({ engine }) => engine ?? [])];
  return new Map(
    engines.flatMap(({ install }) =>
      install.method === "image" && install.platforms !== undefined ? [[install.digest, install.platforms]] : [],
    ),
  );
}

/** Each thing once, with all the hosts that need it, sorted by their keys. */
function merged<Need extends Needed>(all: readonly (readonly [key: string, need: Need])[]): Need[] {
  const found = new Map<string, Need>();
  for (const [key, need] of all) {
    const before = found.get(key);
    const known = before?.hosts ?? [];
    const more = need.hosts.filter(({ name }) => !known.some((host) => host.name === name));
    found.set(key, { ...(before ?? need), hosts: [...known, ...more] });
  }
  return [...found].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, need]) => need);
}
