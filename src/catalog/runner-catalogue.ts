import { BerthError } from "../lib/errors.js";
import { lookUp } from "../lib/record.js";
import type { RunnerFile } from "../schema/runner.js";
import { formatRunnerTag, type RunnerVocabulary } from "./runner-name.js";
import { findAmbiguity } from "./runner-words.js";

/** One runner image: a service on a version of a vendor's runtime, for one or more platforms. */
export interface RunnerImage {
  /** The tag that it is released under: `cuda12.8-vllm0.10.2`. */
  readonly tag: string;
  /** Where it is had from: `gpustack/runner`. */
  readonly repository: string;
  readonly acceleratorType: string;
  /** Major and minor version of the vendor's runtime. */
  readonly acceleratorVersion: string;
  readonly variant: string | undefined;
  /** Whole version of the vendor's runtime. */
  readonly runtimeVersion: string | undefined;
  readonly service: string;
  readonly serviceVersion: string;
  readonly platforms: readonly string[];
  readonly computeCapabilities: readonly string[] | undefined;
  /** Those that it runs on, as its own entry narrows those of its runtime. */
  readonly llvmTargets: readonly string[] | undefined;
  readonly rc: boolean;
  readonly deprecated: boolean;
  readonly polished: boolean;
  /** Whether the release's tables have it. */
  readonly listed: boolean;
  readonly published: boolean;
  readonly digest: string | undefined;
  readonly warning: string | undefined;
}

/** All runner images, with the words that their names are made of. */
export interface RunnerCatalogue {
  /** By accelerator type. */
  readonly files: Readonly<Record<string, RunnerFile>>;
  /** Names for people, by service. */
  readonly services: Readonly<Record<string, string>>;
  readonly vocabulary: RunnerVocabulary;
  readonly images: readonly RunnerImage[];
}

/** What one file of `backends/runners` says. */
export interface RunnerDocument {
  readonly file: RunnerFile;
  /** The file's name, for errors. */
  readonly where: string;
}

/**
 * The catalogue that files make together.
 *
 * @throws BerthError `file-invalid` when two are of one accelerator type, name a service differently, or have words
 *   together by which names can be read in two ways
 */
export function assembleRunners(documents: readonly RunnerDocument[]): RunnerCatalogue {
  const files: Record<string, RunnerFile> = {};
  const services: Record<string, string> = {};
  for (const { file, where } of documents) {
    if (Object.hasOwn(files, file.acceleratorType))
      throw clash(where, `another file has the images of ${file.name} too`);
    files[file.acceleratorType] = file;
    for (const [service, name] of Object.entries(file.services)) {
      const known = lookUp(services, service);
      if (known !== undefined && known !== name)
        throw clash(where, `${service} is ${name} here, and ${known} elsewhere`);
      services[service] = name;
    }
    const ambiguity = findAmbiguity(vocabularyOf(files, services));
    if (ambiguity !== undefined) throw clash(where, ambiguity);
  }
  const vocabulary = vocabularyOf(files, services);
  return { files, services, vocabulary, images: Object.values(files).flatMap(imagesOf) };
}

function vocabularyOf(files: RunnerCatalogue["files"], services: RunnerCatalogue["services"]): RunnerVocabulary {
  const accelerators = Object.entries(files).map(
    ([type, { variants }]) => [type, Object.keys(variants ?? {})] as const,
  );
  return { accelerators: Object.fromEntries(accelerators), services: Object.keys(services).sort() };
}

/** The images of one file, as they stand in it. */
export function imagesOf({ acceleratorType, repository: common, versions }: RunnerFile): RunnerImage[] {
  return versions.flatMap(({ version: acceleratorVersion, variant, computeCapabilities, llvmTargets, images }) =>
    Object.entries(images).flatMap(([service, entries]) =>
      entries.map(({ version: serviceVersion, platforms = [], onlyTargets, withoutTargets = [], ...entry }) => {
        const named = { acceleratorType, acceleratorVersion, variant, service, serviceVersion };
        const {
          repository = common,
          runtimeVersion,
          rc,
          deprecated,
          polished,
          listed,
          published,
          digest,
          warning,
        } = entry;
        return {
          ...named,
          ...{ tag: formatRunnerTag(named), repository, runtimeVersion, platforms, computeCapabilities },
          llvmTargets: onlyTargets ?? llvmTargets?.filter((target) => !withoutTargets.includes(target)),
          ...{ rc, deprecated, polished, listed, published, digest, warning },
        };
      }),
    ),
  );
}

function clash(where: string, what: string): BerthError {
  return new BerthError("file-invalid", { what, where });
}
