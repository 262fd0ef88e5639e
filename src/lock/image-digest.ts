import { createHash } from "node:crypto";

import type { FindRegistryLogin, RegistryLogin } from "../host/registry-login.js";
import type { ImagePlatforms } from "../schema/lock.js";
import { BerthError, messageOf } from "../lib/errors.js";
import { printable } from "../lib/printable.js";
import { imageReference } from "../schema/scalars.js";
import { findPlatforms } from "./image-platforms.js";
import { presenceOf, type Presence } from "./presence.js";

/** What a registry says about an image's tag. */
export type ImageAnswer =
  | { readonly kind: "found"; readonly digest: string; readonly platforms?: ImagePlatforms | undefined }
  /** The registry answers and has no such tag. */
  | { readonly kind: "unknown" }
  /** It does not answer, or only those who log in. */
  | { readonly kind: "refused"; readonly reason: string };

/** Who asks a registry. */
export interface Asker {
  /** For registries that ask for a login. */
  readonly findLogin?: FindRegistryLogin | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a registry is sent. */
export interface RegistryContent {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

const requestSeconds = 20;
/** An index of several platforms before the image of one. */
export const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/**
 * Asks the registry of an image which digest its tag has now: that of the index where the image has several platforms.
 * A login is sent only to a registry that asks for one. Nothing is downloaded but, where a registry tells no digest,
 * the manifest.
 *
 * @param reference `registry/repository:tag`; without a registry it is Docker Hub's
 */
export async function askImageDigest(reference: string, asker: Asker = {}): Promise<ImageAnswer> {
  const { signal } = asker;
  const image = readImageReference(reference);
  const address = `${image.origin}/v2/${image.repository}/manifests/${image.tag}`;
  try {
    const head = await askRegistry("HEAD", address, image.origin, asker);
    if (head.status === 404) return { kind: "unknown" };
    if (!head.ok) return { kind: "refused", reason: `HTTP status ${head.status}` };
    const told = head.headers.get("docker-content-digest");
    if (told !== null && /^sha256:[0-9a-f]{64}$/.test(told)) return { kind: "found", digest: told };
    const manifest = await askRegistry("GET", address, image.origin, asker);
    if (!manifest.ok) return { kind: "refused", reason: `HTTP status ${manifest.status}` };
    const bytes = new Uint8Array(await manifest.arrayBuffer());
    return { kind: "found", digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof BerthError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { kind: "refused", reason: messageOf(cause) };
  }
}

/**
 * Whether a registry still has an image of a digest, wherever its tags lead.
 *
 * @param reference the image, as {@link askImageDigest} is asked for it; its tag does not count
 */
export async function askImagePresence(reference: string, digest: string, asker: Asker = {}): Promise<Presence> {
  const { origin, repository } = readImageReference(reference);
  try {
    const { status, ok } = await askRegistry("HEAD", `${origin}/v2/${repository}/manifests/${digest}`, origin, asker);
    return presenceOf(status, ok);
  } catch (error) {
    asker.signal?.throwIfAborted();
    if (error instanceof BerthError) throw error;
    return { kind: "unknown", reason: messageOf(error instanceof Error && error.cause ? error.cause : error) };
  }
}

/**
 * The images of a digest by their platforms; undefined when the registry does not tell.
 *
 * @param reference the image, as {@link askImageDigest} was asked for it
 */
export async function askImagePlatforms(
  reference: string,
  digest: string,
  asker: Asker = {},
): Promise<ImagePlatforms | undefined> {
  const { origin, repository } = readImageReference(reference);
  try {
    return await findPlatforms(digest, async (kind, one) => {
      const response = await askRegistry("GET", `${origin}/v2/${repository}/${kind}/${one}`, origin, asker);
      return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
    });
  } catch {
    asker.signal?.throwIfAborted();
    return undefined;
  }
}

/**
 * Where an image is asked for. A registry on this machine speaks HTTP, any other HTTPS, as Docker has it.
 *
 * @throws BerthError `image-unavailable` for what is no image's name: an address of it could lead anywhere
 */
export function readImageReference(reference: string): { origin: string; repository: string; tag: string } {
  if (!imageReference.safeParse(reference).success) throw noImageName(reference);
  const [, first = "", rest] = /^([^/]+)\/(.+)$/.exec(reference) ?? [];
  const named = rest !== undefined && (/[.:]/.test(first) || first === "localhost");
  const [repository = "", tag = "latest"] = (named ? rest : reference).split(":");
  if (!named) {
    const path = repository.includes("/") ? repository : `library/${repository}`;
    return { origin: "https://registry-1.docker.io", repository: path, tag };
  }
  const local = /^(?:localhost|127\.0\.0\.1)(?::|$)/.test(first);
  const host = first === "docker.io" ? "registry-1.docker.io" : first;
  return { origin: `${local ? "http" : "https"}://${host}`, repository, tag };
}

function noImageName(reference: string): BerthError {
  return new BerthError("image-unavailable", {
    what: "this is no name of an image",
    // What is before an @ may be a login.
    got: printable(reference.replace(/^.*@/s, "...@")),
    expected: "registry/repository:tag, without user, password and digest",
  });
}

/**
 * Registries ask for a login itself, or for a token that they give to those who log in; to anybody, where it lets read
 * what everybody may read.
 */
export async function askRegistry(
  method: string,
  address: string,
  origin: string,
  asker: Asker,
  content?: RegistryContent,
): Promise<Response> {
  const sent = content === undefined ? {} : { body: new Uint8Array(content.bytes) };
  const type = content === undefined ? {} : { "content-type": content.mediaType };
  const ask = (headers: Record<string, string>) => {
    const all = { accept: manifestTypes, ...type, ...headers };
    return fetch(address, { method, headers: all, signal: withTimeLimit(asker.signal), ...sent });
  };
  const response = await ask({});
  if (response.status !== 401) return response;
  const authorization = await answerChallenge(response, origin, asker);
  if (authorization === undefined) return response;
  await response.body?.cancel();
  return ask({ authorization });
}

/** What a registry that has answered 401 is to be told; undefined where it does not say, or nobody has a login. */
export async function answerChallenge(
  { headers }: Pick<Response, "headers">,
  origin: string,
  { findLogin, signal }: Asker,
): Promise<string | undefined> {
  const challenge = headers.get("www-authenticate");
  if (challenge === null) return undefined;
  const login = await findLogin?.(new URL(origin).host);
  if (/^Basic\s/i.test(challenge)) return login === undefined ? undefined : basic(login);
  const token = await fetchToken(challenge, origin, login, signal);
  return token === undefined ? undefined : `Bearer ${token}`;
}

function basic({ username, password }: RegistryLogin): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

async function fetchToken(
  challenge: string,
  origin: string,
  login: RegistryLogin | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { realm = "", ...scope } = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value] as const),
  );
  if (!/^Bearer\s/i.test(challenge) || !URL.canParse(realm)) return undefined;
  const address = new URL(realm);
  // A token that anybody can read on its way is none, and no login goes there.
  if (address.protocol !== "https:" && address.origin !== origin) return undefined;
  for (const [key, value] of Object.entries(scope)) if (key !== "error") address.searchParams.set(key, value);
  const headers: Record<string, string> = login === undefined ? {} : { authorization: basic(login) };
  const response = await fetch(address, { headers, signal: withTimeLimit(signal) });
  if (!response.ok) return undefined;
  const body: unknown = await response.json();
  if (typeof body !== "object" || body === null) return undefined;
  if ("token" in body && typeof body.token === "string") return body.token;
  return "access_token" in body && typeof body.access_token === "string" ? body.access_token : undefined;
}

function withTimeLimit(signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(requestSeconds * 1000);
  return signal === undefined ? limit : AbortSignal.any([signal, limit]);
}
