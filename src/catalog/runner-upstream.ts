/** What a release of GPUStack's catalogue changes of the catalogue here. Pure. */
import { word } from "../schema/accelerator-type.js";
import { lookUp } from "../lib/record.js";
import {
  imageRepository,
  runtimeVersionPattern,
  runnerPlatforms,
  serviceVersionPattern,
  type RunnerPlatform,
} from "../schema/runner.js";
import type { UpstreamEntry } from "../schema/runner-upstream.js";
import type { RunnerCatalogue, RunnerImage } from "./runner-catalogue.js";
import { formatRunnerTag } from "./runner-name.js";

/** An image as the release has it, for all of its platforms. */
export interface UpstreamImage {
  readonly tag: string;
  /** Where it is had from, without its tag. */
  readonly repository: string;
  readonly acceleratorType: string;
  readonly acceleratorVersion: string;
  readonly variant: string | undefined;
  readonly service: string;
  readonly serviceVersion: string;
  /** Undefined where it is none that files can have. */
  readonly runtimeVersion: string | undefined;
  readonly platforms: readonly RunnerPlatform[];
  readonly deprecated: boolean;
}

/** An image that is here already, and what of it is otherwise in the release. */
export interface UpstreamChange {
  readonly image: UpstreamImage;
  readonly platforms?: readonly RunnerPlatform[];
  readonly runtimeVersion?: string;
  readonly published?: true;
  readonly deprecated?: true;
}

/** Entries of the release that cannot be taken. */
export interface LeftOut {
  readonly names: readonly string[];
  readonly reason: string;
  readonly hint?: string;
}

export interface UpstreamMerge {
  readonly added: readonly UpstreamImage[];
  readonly changed: readonly UpstreamChange[];
  /** Deprecated here and not in the release: they stay so, since whoever deprecated them had a reason. */
  readonly keptDeprecated: readonly string[];
  /** Here and not in the release: they stay. */
  readonly missing: readonly string[];
  readonly leftOut: readonly LeftOut[];
}

/** What a release adds and changes. Nothing that is here is taken away, and nothing deprecated comes back. */
export function mergeUpstream(catalogue: RunnerCatalogue, entries: readonly UpstreamEntry[]): UpstreamMerge {
  const known = new Map(catalogue.images.map((image) => [image.tag, image]));
  const { taken, leftOut } = takeEntries(catalogue, known, entries);
  const images = [...taken.values()];
  const pairs = images.flatMap((image) => {
    const here = known.get(image.tag);
    return here === undefined ? [] : [{ image, here }];
  });
  const types = new Set(images.map(({ acceleratorType, repository }) => `${acceleratorType} ${repository}`));
  return {
    added: images.filter(({ tag }) => !known.has(tag)),
    changed: pairs.flatMap(({ image, here }) => changeOf(image, here)),
    keptDeprecated: pairs
      .filter(({ image, here }) => here.deprecated && !image.deprecated)
      .map(({ image }) => image.tag),
    missing: catalogue.images
      .filter(({ acceleratorType, repository }) => types.has(`${acceleratorType} ${repository}`))
      .filter(({ tag, published }) => published && !taken.has(tag))
      .map(({ tag }) => tag),
    leftOut,
  };
}

/** Whether a merge changes anything. */
export function changesAnything({ added, changed }: UpstreamMerge): boolean {
  return added.length + changed.length > 0;
}

function changeOf(image: UpstreamImage, here: RunnerImage): UpstreamChange[] {
  const samePlatforms =
    here.platforms.length === image.platforms.length && image.platforms.every((each) => here.platforms.includes(each));
  const { platforms, runtimeVersion } = image;
  const change = {
    ...(samePlatforms ? {} : { platforms }),
    ...(runtimeVersion === undefined || runtimeVersion === here.runtimeVersion ? {} : { runtimeVersion }),
    ...(here.published ? {} : { published: true as const }),
    ...(image.deprecated && !here.deprecated ? { deprecated: true as const } : {}),
  };
  return Object.keys(change).length === 0 ? [] : [{ image, ...change }];
}

function takeEntries(
  catalogue: RunnerCatalogue,
  known: ReadonlyMap<string, RunnerImage>,
  entries: readonly UpstreamEntry[],
) {
  const taken = new Map<string, UpstreamImage>();
  const refused = new Map<string, { names: Set<string>; hint: string | undefined }>();
  for (const entry of entries) {
    const image = readEntry(catalogue, entry);
    const reading = "reason" in image ? image : (otherPlace(image, known) ?? otherPlace(image, taken) ?? image);
    if ("reason" in reading) {
      const { names, hint } = refused.get(reading.reason) ?? { names: new Set(), hint: reading.hint };
      refused.set(reading.reason, { names: names.add(entry.docker_image), hint });
      continue;
    }
    const before = taken.get(reading.tag);
    taken.set(reading.tag, before === undefined ? reading : joinPlatforms(before, reading));
  }
  const leftOut = [...refused].map(([reason, { names, hint }]): LeftOut => {
    return { names: [...names], reason, ...(hint === undefined ? {} : { hint }) };
  });
  return { taken, leftOut };
}

/** A tag is deprecated when it is for every platform. */
function joinPlatforms(one: UpstreamImage, other: UpstreamImage): UpstreamImage {
  const platforms = runnerPlatforms.filter((each) => [...one.platforms, ...other.platforms].includes(each));
  return { ...one, platforms, deprecated: one.deprecated && other.deprecated };
}

/** One tag in two repositories is of two images, and a file has one of a name. */
function otherPlace(
  { tag, repository }: UpstreamImage,
  images: ReadonlyMap<string, Pick<RunnerImage, "repository">>,
): NotTaken | undefined {
  const other = images.get(tag)?.repository;
  if (other === undefined || other === repository) return undefined;
  return { reason: `there is an image of this name from ${other}, which stays` };
}

interface NotTaken {
  readonly reason: string;
  readonly hint?: string;
}

function readEntry({ files, services }: RunnerCatalogue, entry: UpstreamEntry): UpstreamImage | NotTaken {
  const { backend, backend_version: version, service, service_version: serviceVersion } = entry;
  const variant = entry.backend_variant ?? "";
  const file = lookUp(files, backend);
  if (file === undefined)
    return { reason: `there is no accelerator type ${backend}`, ...ingestHint(backend, `backend ${backend}`) };
  if (!Object.hasOwn(services, service))
    return {
      reason: `there is no service ${service}`,
      ...ingestHint(service, `service ${service} --backend ${backend}`),
    };
  if (variant === "" ? file.variants !== undefined : !Object.hasOwn(file.variants ?? {}, variant))
    return {
      reason: variant === "" ? `images for ${file.name} have a variant` : `${file.name} has no variant ${variant}`,
      hint: `add it to \`variants\` in backends/runners/${backend}.yaml, with the SoCs that it runs on`,
    };
  const platform = runnerPlatforms.find((each) => each === entry.platform);
  if (platform === undefined) return { reason: `there is no platform ${entry.platform}` };
  if (!/^\d+\.\d+$/.test(version)) return { reason: `${version} is no major and minor version` };
  if (!serviceVersionPattern.test(serviceVersion)) return { reason: `${serviceVersion} is no version of a service` };
  const name = {
    ...{ acceleratorType: backend, acceleratorVersion: version, variant: variant === "" ? undefined : variant },
    ...{ service, serviceVersion },
  };
  const tag = formatRunnerTag(name);
  if (!entry.docker_image.endsWith(`/runner:${tag}`)) return { reason: "their names are not what they are said to be" };
  const runtimeVersion = runtimeVersionPattern.test(entry.original_backend_version)
    ? entry.original_backend_version
    : undefined;
  const repository = entry.docker_image.slice(0, -`:${tag}`.length).replace(/^docker\.io\//, "");
  if (!imageRepository.safeParse(repository).success)
    return { reason: "they are in no repository that files can have" };
  return { tag, repository, ...name, runtimeVersion, platforms: [platform], deprecated: entry.deprecated };
}

/** A command for a word that can be one: what a release says is no command else. */
function ingestHint(name: string, what: string): { readonly hint?: string } {
  return word.safeParse(name).success ? { hint: `berth runner ingest ${what}` } : {};
}
