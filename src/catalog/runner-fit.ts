import { remember } from "../lib/remember.js";
import type { Accelerator, HostFacts } from "../schema/facts.js";
import { sameVersion, type Constraint } from "../schema/version-constraint.js";
import { bareTarget, matchCapability, type CapabilityMatch } from "./runner-capability.js";
import type { RunnerImage } from "./runner-catalogue.js";
import { compareVersions, covers } from "./version.js";

/** What a runner image is looked for. */
export interface RunnerRequest {
  readonly service: string;
  /** An exact version takes deprecated images and release candidates too. */
  readonly serviceVersion?: Constraint | undefined;
  readonly acceleratorVersion?: Constraint | undefined;
  /** Instead of what the SoC tells. */
  readonly variant?: string | undefined;
  readonly allowRc?: boolean | undefined;
  /** Tag of an image that is in use: whether it is deprecated or a release candidate does not count. */
  readonly inUse?: string | undefined;
}

/** A host as images see it: its platform, and its devices of one accelerator type. */
export interface RunnerHost {
  /** `linux/amd64` */
  readonly platform: string;
  readonly devices: readonly Accelerator[];
  /** Major and minor version of the oldest runtime that its devices tell; undefined where it cannot be compared. */
  readonly runtime: string | undefined;
  readonly variant: string | undefined;
}

/**
 * A host as images see it.
 *
 * @param devices those of its devices that count
 * @param comparable whether its runtime's version is of the same kind as those of the images
 */
export function runnerHostOf(
  { os, arch }: Pick<HostFacts, "os" | "arch">,
  devices: readonly Accelerator[],
  { comparable, variant }: { readonly comparable: boolean; readonly variant: string | undefined },
): RunnerHost {
  const platform = `${os}/${arch === "x64" ? "amd64" : arch}`;
  return { platform, devices, runtime: comparable ? runtimeOf(devices) : undefined, variant };
}

/** Of the device with the oldest; undefined where one does not tell it. */
function runtimeOf(devices: readonly Accelerator[]): string | undefined {
  const told = devices.map(({ runtimeVersion }) => /^(\d+)(?:\.(\d+))?/.exec(runtimeVersion ?? ""));
  if (told.includes(null)) return undefined;
  const versions = told.map((found) => `${found?.[1] ?? ""}.${found?.[2] ?? "0"}`);
  return versions.sort((a, b) => majorOf(a) - majorOf(b) || compareVersions(a, b))[0];
}

/** How an image's runtime stands to the host's. */
export type RuntimeOrder =
  /** Not above it. */
  | "covered"
  /** Above it, of the same major version. */
  | "sameMajor"
  /** Of a later major version. */
  | "later"
  | "unknown";

export type RunnerFit =
  | {
      readonly kind: "fits";
      readonly order: RuntimeOrder;
      /** Whether the catalogue tells that it has code for the devices, where they tell what they are. */
      readonly isKnown: boolean;
      readonly notes: readonly string[];
    }
  | { readonly kind: "misfit"; readonly reason: string };

/** Whether a host can run an image that is asked for, and why not: the first reason counts. */
export function fitsOn(host: RunnerHost, request: RunnerRequest): (image: RunnerImage) => RunnerFit {
  const orderOf = remember((version: string) => orderRuntime(version, host.runtime));
  const missesRequest = requestMisfits(request);
  const matchOf = remember((built: readonly string[]) =>
    host.devices.map(({ computeCapability }) =>
      computeCapability === undefined ? undefined : matchCapability(computeCapability, built),
    ),
  );
  return (image) => {
    const order = orderOf(image.acceleratorVersion);
    const reason =
      missesRequest(image) ??
      missesVariant(image, host) ??
      missesPlatform(image, host) ??
      missesCode(image, host, order, matchOf) ??
      missesTarget(image, host);
    if (reason !== undefined) return { kind: "misfit", reason };
    return { kind: "fits", order, isKnown: !isUnsaid(image, host), notes: notesOf(image, host, order) };
  };
}

/** The host's version is compared by its major and minor number: tags have no more. */
export function orderRuntime(image: string, host: string | undefined): RuntimeOrder {
  if (host === undefined) return "unknown";
  if (compareVersions(image, host) <= 0) return "covered";
  return majorOf(image) === majorOf(host) ? "sameMajor" : "later";
}

function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

function requestMisfits({ serviceVersion, acceleratorVersion, allowRc = false, inUse }: RunnerRequest) {
  const of = (constraint: Constraint | undefined, version: string) => ({
    isWanted: constraint === undefined || covers(version, constraint),
    isPinned: constraint?.clauses.some((clause) => clause.operator === "exact" && sameVersion(clause.version, version)),
  });
  const service = remember((version: string) => of(serviceVersion, version));
  const runtime = remember((version: string) => of(acceleratorVersion, version));
  return (image: RunnerImage): string | undefined => {
    const { isWanted, isPinned } = service(image.serviceVersion);
    if (!image.published) return "there is no such image";
    if (!isWanted) return `${image.service} ${serviceVersion?.text ?? ""} is asked for`;
    if (!runtime(image.acceleratorVersion).isWanted)
      return `${image.acceleratorType} ${acceleratorVersion?.text ?? ""} is asked for`;
    if (isPinned === true || image.tag === inUse) return undefined;
    if (image.deprecated) return "it is deprecated, and taken only when its version is asked for";
    if (!image.rc || allowRc) return undefined;
    return "it is made from a release candidate, which is taken only when allowed or asked for by its version";
  };
}

function missesVariant({ variant }: RunnerImage, host: RunnerHost): string | undefined {
  if (variant === host.variant) return undefined;
  return `it is for ${variant ?? "no variant"}, and the host's devices are ${host.variant ?? "of none"}`;
}

function missesPlatform({ platforms }: RunnerImage, { platform }: RunnerHost): string | undefined {
  return platforms.includes(platform) ? undefined : `it is for ${platforms.join(" and ")}, and the host is ${platform}`;
}

function missesCode(
  { acceleratorVersion, computeCapabilities: built }: RunnerImage,
  { devices, runtime = "" }: RunnerHost,
  order: RuntimeOrder,
  matchOf: (built: readonly string[]) => readonly (CapabilityMatch | undefined)[],
): string | undefined {
  if (built === undefined) return undefined;
  const matches = matchOf(built);
  const isAbove = order === "sameMajor" || order === "later";
  // A driver translates PTX of no later CUDA than its own.
  const index = matches.findIndex((match) => match === "none" || (match === "translated" && isAbove));
  if (index < 0) return undefined;
  const of = `compute capability ${devices[index]?.computeCapability ?? ""} (${devices[index]?.name ?? ""})`;
  return matches[index] === "none"
    ? `it has no code for ${of}, only for ${built.join(" ")}`
    : `its code for ${of} is to be translated, which a driver of CUDA ${runtime} does not do for CUDA ${acceleratorVersion}`;
}

function missesTarget({ llvmTargets: targets }: RunnerImage, { devices }: RunnerHost): string | undefined {
  const lacking = devices.find(
    ({ llvmTarget }) => llvmTarget !== undefined && targets !== undefined && !targets.includes(bareTarget(llvmTarget)),
  );
  if (lacking === undefined) return undefined;
  return `it has no code for ${bareTarget(lacking.llvmTarget ?? "")} (${lacking.name}), only for ${(targets ?? []).join(" ")}`;
}

/** As it is after an import: devices tell what they are, and the catalogue not what the image has code for. */
function isUnsaid(image: RunnerImage, { devices }: RunnerHost): boolean {
  return (
    (image.computeCapabilities === undefined &&
      devices.some(({ computeCapability }) => computeCapability !== undefined)) ||
    (image.llvmTargets === undefined && devices.some(({ llvmTarget }) => llvmTarget !== undefined))
  );
}

function notesOf(image: RunnerImage, host: RunnerHost, order: RuntimeOrder): string[] {
  const { devices } = host;
  const untold =
    (image.computeCapabilities !== undefined &&
      devices.some(({ computeCapability }) => computeCapability === undefined)) ||
    (image.llvmTargets !== undefined && devices.some(({ llvmTarget }) => llvmTarget === undefined));
  return [
    ...(order === "unknown"
      ? ["the host does not tell a version to compare with, so nobody knows whether it runs"]
      : []),
    ...(untold ? ["a device does not tell for what code it is, so nobody knows whether it runs"] : []),
    ...(isUnsaid(image, host)
      ? ["the catalogue does not tell for which devices it has code, so nobody knows whether it runs"]
      : []),
    ...(image.polished ? ["it was changed under its tag since it was released"] : []),
    ...(image.warning === undefined ? [] : [image.warning]),
  ];
}
