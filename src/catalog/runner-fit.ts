import type { Accelerator } from "../schema/facts.js";
import { sameVersion, type Constraint } from "../schema/version-constraint.js";
import { bareTarget, matchCapability } from "./runner-capability.js";
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
  | { readonly kind: "fits"; readonly order: RuntimeOrder; readonly notes: readonly string[] }
  | { readonly kind: "misfit"; readonly reason: string };

/** Whether a host can run an image that is asked for, and why not: the first reason counts. */
export function fitRunner(image: RunnerImage, host: RunnerHost, request: RunnerRequest): RunnerFit {
  const order = orderRuntime(image.acceleratorVersion, host.runtime);
  const reason =
    missesRequest(image, request) ??
    missesVariant(image, host) ??
    missesPlatform(image, host) ??
    missesDevices(image, host, order);
  if (reason !== undefined) return { kind: "misfit", reason };
  return { kind: "fits", order, notes: notesOf(image, host, order) };
}

/** The host's version is compared by its major and minor number: tags have no more. */
export function orderRuntime(image: string, host: string | undefined): RuntimeOrder {
  if (host === undefined) return "unknown";
  if (compareVersions(image, host) <= 0) return "covered";
  return majorOf(image) === majorOf(host) ? "sameMajor" : "later";
}

export function majorOf(version: string): number {
  return Number.parseInt(version, 10);
}

function missesRequest(image: RunnerImage, request: RunnerRequest): string | undefined {
  const { serviceVersion, acceleratorVersion } = request;
  const isPinned = isExactly(serviceVersion, image.serviceVersion);
  if (!image.published) return "there is no such image";
  if (serviceVersion !== undefined && !covers(image.serviceVersion, serviceVersion))
    return `${image.service} ${serviceVersion.text} is asked for`;
  if (acceleratorVersion !== undefined && !covers(image.acceleratorVersion, acceleratorVersion))
    return `${image.acceleratorType} ${acceleratorVersion.text} is asked for`;
  if (isPinned) return undefined;
  if (image.deprecated) return "it is deprecated, and taken only when its version is asked for";
  if (image.rc && request.allowRc !== true)
    return "it is made from a release candidate, which is taken only when allowed or asked for by its version";
  return undefined;
}

function isExactly(constraint: Constraint | undefined, version: string): boolean {
  return (
    constraint?.clauses.some((clause) => clause.operator === "exact" && sameVersion(clause.version, version)) === true
  );
}

function missesVariant({ variant }: RunnerImage, host: RunnerHost): string | undefined {
  if (variant === host.variant) return undefined;
  return `it is for ${variant ?? "no variant"}, and the host's devices are ${host.variant ?? "of none"}`;
}

function missesPlatform({ platforms }: RunnerImage, { platform }: RunnerHost): string | undefined {
  return platforms.includes(platform) ? undefined : `it is for ${platforms.join(" and ")}, and the host is ${platform}`;
}

function missesDevices(image: RunnerImage, { devices, runtime }: RunnerHost, order: RuntimeOrder): string | undefined {
  for (const { name, computeCapability, llvmTarget } of devices) {
    const { computeCapabilities: built, llvmTargets: targets } = image;
    if (built !== undefined && computeCapability !== undefined) {
      const match = matchCapability(computeCapability, built);
      if (match === "none")
        return `it has no code for compute capability ${computeCapability} (${name}), only for ${built.join(" ")}`;
      // A driver translates PTX of no later CUDA than its own.
      if (match === "translated" && (order === "sameMajor" || order === "later"))
        return `its code for compute capability ${computeCapability} (${name}) is to be translated, which a driver of CUDA ${runtime ?? ""} does not do for CUDA ${image.acceleratorVersion}`;
    }
    if (targets !== undefined && llvmTarget !== undefined && !targets.includes(bareTarget(llvmTarget)))
      return `it has no code for ${bareTarget(llvmTarget)} (${name}), only for ${targets.join(" ")}`;
  }
  return undefined;
}

function notesOf(image: RunnerImage, { devices }: RunnerHost, order: RuntimeOrder): string[] {
  const untold =
    (image.computeCapabilities !== undefined &&
      devices.some(({ computeCapability }) => computeCapability === undefined)) ||
    (image.llvmTargets !== undefined && devices.some(({ llvmTarget }) => llvmTarget === undefined));
  return [
    ...(order === "unknown"
      ? ["the host does not tell a version to compare with, so nobody knows whether it runs"]
      : []),
    ...(untold ? ["a device does not tell for what code it is, so nobody knows whether it runs"] : []),
    ...(image.polished ? ["it was changed under its tag since it was released"] : []),
    ...(image.warning === undefined ? [] : [image.warning]),
  ];
}
