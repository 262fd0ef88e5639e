/** What a host's engine needs to have of a lock's images. Pure. */
import { mirrorImage, registryOf } from "../catalog/image-mirror.js";
import { lookUp } from "../lib/record.js";
import type { HostFacts } from "../schema/facts.js";
import type { LockedEngine, LockedInstall, LockFile, Placement } from "../schema/lock.js";
import type { LockedImageSignature } from "../schema/signature.js";

type LockedImage = Extract<LockedInstall, { method: "image" }>;

/** An image, as its host knows it. */
export interface DesiredImage {
  readonly method: "image";
  readonly reference: string;
  readonly digest: string;
  /** Its other digests on the host's platform; of all platforms where the host's is not known. */
  readonly ids?: string[];
  readonly signature?: LockedImageSignature;
}

/** How it gets there. */
export interface ImageSettings {
  /** Its name at the mirror of its registry. */
  readonly pullFrom?: string;
  /** User of the registry that it is pulled from, and the name of the secret that is the password. */
  readonly login?: { readonly username: string; readonly password: string };
  /** On a host that pulls nothing: every image that the host needs. */
  readonly neverPull?: readonly Omit<DesiredImage, "method" | "signature">[];
}

/** The parts of a lock that tell of images. */
export interface ImageDecisions {
  readonly release: LockFile["release"];
  readonly preload?: LockFile["preload"];
  readonly placement: Partial<Pick<Placement, "registries" | "registryLogins">> & {
    readonly hosts: Readonly<Record<string, { readonly images?: "neverPull" | undefined; readonly facts?: HostFacts }>>;
    readonly instances: Readonly<Record<string, { readonly deployment: string; readonly host: string }>>;
    readonly preload?: Placement["preload"];
  };
}

export function imageOn(
  { reference, digest, platforms, signature }: LockedImage,
  facts: HostFacts | undefined,
): DesiredImage {
  const own = facts === undefined ? Object.values(platforms ?? {}) : [platforms?.[platformOf(facts)]];
  const ids = own.flatMap((platform) => (platform === undefined ? [] : [platform.digest, platform.id]));
  const pinned = { reference, digest, ...(ids.length === 0 ? {} : { ids: [...new Set(ids)] }) };
  return { method: "image", ...pinned, ...(signature === undefined ? {} : { signature }) };
}

export function imageSettings({ reference }: LockedImage, host: string, lock: ImageDecisions): ImageSettings {
  const { registries, registryLogins = {}, hosts } = lock.placement;
  const pullFrom = mirrorImage(reference, registries);
  const login = lookUp(registryLogins, registryOf(pullFrom));
  const { images, facts } = hosts[host] ?? {};
  return {
    ...(pullFrom === reference ? {} : { pullFrom }),
    ...(login === undefined ? {} : { login }),
    ...(images === "neverPull" ? { neverPull: imagesOf(lock, host).map((image) => withoutMethod(image, facts)) } : {}),
  };
}

/** Every image that a host needs, once, always in the same order. */
function imagesOf({ release, preload = {}, placement }: ImageDecisions, host: string): LockedImage[] {
  const deployed = Object.values(placement.instances).flatMap((instance) =>
    instance.host === host ? [release[instance.deployment]] : [],
  );
  const ready = Object.entries(placement.preload ?? {}).flatMap(([name, { hosts }]) =>
    hosts.includes(host) ? [preload[name]?.engine] : [],
  );
  const images = [...deployed, ...ready].flatMap((engine: Pick<LockedEngine, "install"> | undefined) =>
    engine?.install.method === "image" ? [[engine.install.digest, engine.install] as const] : [],
  );
  return [...new Map(images).values()].sort((one, other) => (one.reference < other.reference ? -1 : 1));
}

function withoutMethod(image: LockedImage, facts: HostFacts | undefined): Omit<DesiredImage, "method" | "signature"> {
  const { method: _, signature: _verified, ...rest } = imageOn(image, facts);
  return rest;
}

export function platformOf({ arch }: Pick<HostFacts, "arch">): "linux/amd64" | "linux/arm64" {
  return arch === "arm64" ? "linux/arm64" : "linux/amd64";
}
