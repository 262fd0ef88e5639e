import { remember } from "../lib/remember.js";
import type { Constraint } from "../schema/version-constraint.js";
import type { RunnerImage } from "./runner-catalogue.js";
import { ordersOf } from "./runner-order.js";
import { covers } from "./version.js";

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
  const { acceleratorVersion, serviceVersion, platform, deprecated = false } = filter;
  const isSame = (wanted: string | undefined, found: string | undefined) => wanted === undefined || wanted === found;
  const isService = covered(serviceVersion);
  const isRuntime = covered(acceleratorVersion);
  const fitting = images.filter(
    (image) =>
      image.published &&
      (deprecated || !image.deprecated) &&
      isSame(filter.acceleratorType, image.acceleratorType) &&
      isSame(filter.variant, image.variant) &&
      isSame(filter.service, image.service) &&
      (platform === undefined || image.platforms.includes(platform)) &&
      isService(image.serviceVersion) &&
      (isRuntime(image.acceleratorVersion) || (image.runtimeVersion !== undefined && isRuntime(image.runtimeVersion))),
  );
  return fitting.sort(ordersOf(fitting).asListed);
}

function covered(constraint: Constraint | undefined): (version: string) => boolean {
  return constraint === undefined ? () => true : remember((version: string) => covers(version, constraint));
}
