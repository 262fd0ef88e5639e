import type { Constraint } from "../schema/version-constraint.js";
import type { RunnerImage } from "./runner-catalogue.js";
import { compareVersions, covers } from "./version.js";

/** Which runner images are meant; what is left out does not matter. */
export interface RunnerFilter {
  readonly acceleratorType?: string | undefined;
  /** Of its major and minor version, or of the whole one. */
  readonly acceleratorVersion?: Constraint | undefined;
  readonly variant?: string | undefined;
  readonly service?: string | undefined;
  readonly serviceVersion?: Constraint | undefined;
  readonly platform?: string | undefined;
  /** Those that are deprecated too. */
  readonly deprecated?: boolean | undefined;
}

/** Images that there are and that fit, newest first within an accelerator type, its variants and services apart. */
export function listRunners(images: readonly RunnerImage[], filter: RunnerFilter): RunnerImage[] {
  return images.filter((image) => image.published && fits(image, filter)).sort(compareRunners);
}

function fits(image: RunnerImage, filter: RunnerFilter): boolean {
  const isSame = (wanted: string | undefined, found: string | undefined) => wanted === undefined || wanted === found;
  const { acceleratorVersion, serviceVersion, platform } = filter;
  return (
    isSame(filter.acceleratorType, image.acceleratorType) &&
    isSame(filter.variant, image.variant) &&
    isSame(filter.service, image.service) &&
    (platform === undefined || image.platforms.includes(platform)) &&
    (!image.deprecated || filter.deprecated === true) &&
    (serviceVersion === undefined || covers(image.serviceVersion, serviceVersion)) &&
    (acceleratorVersion === undefined ||
      [image.acceleratorVersion, image.runtimeVersion].some(
        (each) => each !== undefined && covers(each, acceleratorVersion),
      ))
  );
}

/** Accelerator types, newest runtimes, variants, services, newest services: as the release's tables have them. */
export function compareRunners(a: RunnerImage, b: RunnerImage): number {
  return (
    compareTexts(a.acceleratorType, b.acceleratorType) ||
    compareVersions(b.acceleratorVersion, a.acceleratorVersion) ||
    compareTexts(a.variant ?? "", b.variant ?? "") ||
    compareTexts(a.service, b.service) ||
    compareVersions(b.serviceVersion, a.serviceVersion)
  );
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
