/** Which packages of a list a bundle has no wheel of. Pure. */
import type { NeedyHost, PackagesNeed } from "../lock/needs.js";
import type { RequirementPin } from "../lock/requirement-pins.js";
import { normalizeName } from "../model/package-name.js";
import { mayTakeWheel, parseWheelName } from "../model/wheel-name.js";
import type { BundledFile, BundledPackages, BundleFile } from "../schema/bundle.js";

export type BundledWheel = BundledFile & { readonly wheel: string };
type Hosts = PackagesNeed["hosts"];

/** The wheels of a bundle that belong to a list and that its hosts may take. */
export function wheelsOf(
  { pins = [], hosts }: Pick<PackagesNeed, "pins" | "hosts">,
  bundled: readonly BundledFile[],
): BundledWheel[] {
  const found = pins.flatMap((pin) => wheelsFor(pin, hosts, bundled));
  return [...new Map(found.map((file) => [file.sha256, file])).values()];
}

/** By its pinned hash, and a name by which pip finds it. */
function wheelsFor({ name, sha256s }: RequirementPin, hosts: Hosts, bundled: readonly BundledFile[]): BundledWheel[] {
  return bundled.flatMap((file) => {
    const { wheel = "", sha256 } = file;
    const parsed = sha256s.includes(sha256) ? parseWheelName(wheel) : undefined;
    if (parsed === undefined || normalizeName(parsed.name) !== normalizeName(name)) return [];
    return hosts.some((host) => mayTakeWheel(parsed, host)) ? [{ ...file, wheel }] : [];
  });
}

/** What a bundle tells of a list of packages, for each kind of host. */
export function describePackages(need: PackagesNeed, bundled: readonly BundledFile[]): BundledPackages[] {
  const kinds = new Map(need.hosts.map((host) => [JSON.stringify(kindOf(host)), host]));
  return [...kinds]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, host]) => {
      const withoutWheel = pinsWithout(need, host, bundled).map(nameOf);
      return {
        requirements: need.requirements.sha256,
        ...kindOf(host),
        withoutWheel: [...new Set(withoutWheel)].sort(),
      };
    });
}

/**
 * The packages of a list that hosts may need and a bundle lacks, as `NAME==VERSION`: of which it has no wheel for one of
 * them, and does not say that there was none. A bundle for hosts of another kind says nothing of these.
 */
export function findLackingPins(
  need: PackagesNeed,
  { files, packages }: Pick<BundleFile, "files" | "packages">,
): string[] {
  const lacking = need.hosts.flatMap((host) => {
    const kind = kindOf(host);
    const told = packages.filter(
      ({ requirements, platform, python }) =>
        requirements === need.requirements.sha256 && platform === kind.platform && python === kind.python,
    );
    const known = new Set(told.flatMap(({ withoutWheel }) => withoutWheel));
    return pinsWithout(need, host, files)
      .map(nameOf)
      .filter((name) => !known.has(name));
  });
  return [...new Set(lacking)];
}

function pinsWithout({ pins = [] }: PackagesNeed, host: NeedyHost, bundled: readonly BundledFile[]): RequirementPin[] {
  return pins.filter((pin) => wheelsFor(pin, [host], bundled).length === 0);
}

/** What decides which wheels a host may take. */
function kindOf({ platform, python }: NeedyHost): Pick<BundledPackages, "platform" | "python"> {
  const minor = /^\d{1,3}\.\d{1,3}(?!\d)/.exec(python ?? "")?.[0];
  return { platform, ...(minor === undefined ? {} : { python: minor }) };
}

function nameOf({ name, version }: RequirementPin): string {
  return `${name}==${version}`;
}
