import type { RunnerImage } from "./runner-catalogue.js";
import { compareVersions } from "./version.js";

type Order = (a: RunnerImage, b: RunnerImage) => number;

/** Orders of some images. Of many images few versions are different, so each is ranked once. */
export interface RunnerOrders {
  /** The newest runtime first. */
  readonly byRuntime: Order;
  /** The newest service first. */
  readonly byService: Order;
  /** Accelerator types, newest runtimes, variants, services, newest services: as the release's tables have them. */
  readonly asListed: Order;
}

export function ordersOf(images: readonly RunnerImage[]): RunnerOrders {
  const runtime = rankVersions(images.map(({ acceleratorVersion }) => acceleratorVersion));
  const service = rankVersions(images.map(({ serviceVersion }) => serviceVersion));
  const byRuntime: Order = (a, b) => runtime(b.acceleratorVersion) - runtime(a.acceleratorVersion);
  const byService: Order = (a, b) => service(b.serviceVersion) - service(a.serviceVersion);
  const asListed: Order = (a, b) =>
    compareTexts(a.acceleratorType, b.acceleratorType) ||
    byRuntime(a, b) ||
    compareTexts(a.variant ?? "", b.variant ?? "") ||
    compareTexts(a.service, b.service) ||
    byService(a, b);
  return { byRuntime, byService, asListed };
}

function rankVersions(versions: Iterable<string>): (version: string) => number {
  const sorted = [...new Set(versions)].sort((a, b) => compareVersions(a, b));
  const ranks = new Map(sorted.map((version, rank) => [version, rank]));
  return (version) => ranks.get(version) ?? -1;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
