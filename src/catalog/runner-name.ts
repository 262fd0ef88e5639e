import { lookUp } from "../lib/record.js";
import { serviceVersionPattern } from "../schema/runner.js";
import { parseImageReference } from "./image-reference.js";

/** The words of runner images' names: what the catalogue's files have. */
export interface RunnerVocabulary {
  /** Variants by accelerator type; none for a type that has no variants. */
  readonly accelerators: Readonly<Record<string, readonly string[]>>;
  readonly services: readonly string[];
}

/** What follows the version of the service in a tag. */
export type RunnerSuffix =
  /** Not tested yet. */
  | { readonly kind: "dev" }
  /** For one platform, `linux/amd64`. */
  | { readonly kind: "platform"; readonly platform: string }
  /** Made again on a day, `20260212`. */
  | { readonly kind: "date"; readonly date: string }
  /** Made again, `post1`, or to be tried, `rc1`. */
  | { readonly kind: "revision"; readonly revision: string };

/** The parts of a runner image's name: `gpustack/runner:cann8.2-910b-mindie2.1.rc1-dev`. */
export interface RunnerName {
  /** Registry and namespace: `gpustack`, `registry.example.net:5000/team`. */
  readonly prefix: string;
  readonly repository: string;
  readonly acceleratorType: string;
  /** Major and minor version of the vendor's runtime. */
  readonly acceleratorVersion: string;
  readonly variant?: string | undefined;
  readonly service: string;
  readonly serviceVersion: string;
  readonly suffix?: RunnerSuffix | undefined;
  /** `sha256:` and 64 digits. */
  readonly digest?: string | undefined;
}

export type RunnerNameReading =
  | {
      readonly kind: "runner";
      readonly name: RunnerName;
      /** It has a variant that the catalogue does not know of the accelerator type. */
      readonly hasUnknownVariant: boolean;
    }
  | { readonly kind: "refused"; readonly reason: string };

/** A name from its parts; {@link parseRunnerName} gives them back. */
export function formatRunnerName({ prefix, repository, digest, ...tag }: RunnerName): string {
  return `${prefix}/${repository}:${formatRunnerTag(tag)}${digest === undefined ? "" : `@${digest}`}`;
}

/** The tag of a runner image: `cuda12.8-vllm0.10.2`. */
export function formatRunnerTag(name: Omit<RunnerName, "prefix" | "repository" | "digest">): string {
  const { acceleratorType, acceleratorVersion, variant, service, serviceVersion, suffix } = name;
  const parts = [
    `${acceleratorType}${acceleratorVersion}`,
    variant,
    `${service}${serviceVersion}`,
    formatSuffix(suffix),
  ];
  return parts.filter((part) => part !== undefined).join("-");
}

/** Takes a name apart by the convention of runner images; what that does not allow is refused with the reason. */
export function parseRunnerName(text: string, vocabulary: RunnerVocabulary): RunnerNameReading {
  const { name, tag, digest } = parseImageReference(text);
  const slash = name.lastIndexOf("/");
  const [prefix, repository] = [name.slice(0, Math.max(slash, 0)), name.slice(slash + 1)];
  if (text !== text.toLowerCase()) return refused("it has capital letters");
  if (tag === undefined) return refused("it has no tag");
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest)) return refused(`${digest} is no digest`);
  if (!/^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/.test(repository)) return refused("its repository is no name");
  if (!isPrefix(prefix))
    return refused(prefix === "" ? "it has no namespace" : `${prefix} is no registry and namespace`);
  const read = parseTag(tag, vocabulary);
  if (read.kind === "refused") return read;
  const whole: RunnerName = { prefix, repository, ...read.name, ...(digest === undefined ? {} : { digest }) };
  if (formatRunnerName(whole) !== text) return refused("it has more than one digest");
  const { acceleratorType, variant } = read.name;
  const known = lookUp(vocabulary.accelerators, acceleratorType) ?? [];
  return { kind: "runner", name: whole, hasUnknownVariant: variant !== undefined && !known.includes(variant) };
}

type TagReading =
  | { readonly kind: "tag"; readonly name: Omit<RunnerName, "prefix" | "repository" | "digest"> }
  | { readonly kind: "refused"; readonly reason: string };

function parseTag(tag: string, { accelerators, services }: RunnerVocabulary): TagReading {
  const [first = "", ...rest] = tag.split("-");
  const [, acceleratorType = "", acceleratorVersion = ""] = /^([a-z]*)(.*)$/.exec(first) ?? [];
  if (!Object.hasOwn(accelerators, acceleratorType))
    return refused(`its tag does not begin with an accelerator type (${Object.keys(accelerators).join(", ")})`);
  if (!/^\d+\.\d+$/.test(acceleratorVersion))
    return refused(`after ${acceleratorType} comes a major and a minor version, not "${acceleratorVersion}"`);
  const [service = "", serviceVersion = ""] = serviceOf(rest[0], services) ?? serviceOf(rest[1], services) ?? [];
  if (service === "") return refused(`it has no service (${services.join(", ")})`);
  if (!serviceVersionPattern.test(serviceVersion)) return refused(`${service} has no version "${serviceVersion}"`);
  const hasVariant = serviceOf(rest[0], services) === undefined;
  const variant = hasVariant ? rest[0] : undefined;
  if (variant !== undefined && !/^[a-z0-9]+$/.test(variant)) return refused(`"${variant}" is no variant`);
  const suffix = parseSuffix(rest.slice(hasVariant ? 2 : 1));
  if (suffix === "none") return refused(`"${rest.slice(hasVariant ? 2 : 1).join("-")}" is no suffix`);
  const name = { acceleratorType, acceleratorVersion, service, serviceVersion };
  return {
    kind: "tag",
    name: { ...name, ...(hasVariant ? { variant } : {}), ...(suffix === undefined ? {} : { suffix }) },
  };
}

/** A service and what follows it; the longest that the part begins with. */
function serviceOf(part: string | undefined, services: readonly string[]): readonly [string, string] | undefined {
  const [service] = services.filter((each) => part?.startsWith(each)).sort((a, b) => b.length - a.length);
  return part === undefined || service === undefined ? undefined : [service, part.slice(service.length)];
}

/** Undefined where there is none; "none" where it is none. */
function parseSuffix(parts: readonly string[]): RunnerSuffix | undefined | "none" {
  const text = parts.join("-");
  if (parts.length === 0) return undefined;
  if (text === "dev") return { kind: "dev" };
  if (/^linux-(?:amd64|arm64)$/.test(text)) return { kind: "platform", platform: text.replace("-", "/") };
  if (/^20\d{6}$/.test(text)) return { kind: "date", date: text };
  if (/^(?:post|rc)\d+$/.test(text)) return { kind: "revision", revision: text };
  return "none";
}

function formatSuffix(suffix: RunnerSuffix | undefined): string | undefined {
  switch (suffix?.kind) {
    case undefined:
      return undefined;
    case "dev":
      return "dev";
    case "platform":
      return suffix.platform.replace("/", "-");
    case "date":
      return suffix.date;
    case "revision":
      return suffix.revision;
  }
}

/** A registry, with a port perhaps, and namespaces; or namespaces alone. */
function isPrefix(prefix: string): boolean {
  const [first = "", ...rest] = prefix.split("/");
  const isName = (part: string) => /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/.test(part);
  return (isName(first) || (/^[a-z0-9.-]+:\d{1,5}$/.test(first) && rest.length > 0)) && rest.every(isName);
}

function refused(reason: string): { readonly kind: "refused"; readonly reason: string } {
  return { kind: "refused", reason };
}
