import { createHash } from "node:crypto";

import { z } from "zod";

import { BerthError } from "../lib/errors.js";
import { isLfsPointer } from "../model/content.js";
import { readGgufHeader } from "../model/gguf-header.js";
import { fileAddress, type ModelRepository, type RepositoryFile } from "../model/repository.js";
import { commit as commitDigits, sha256 as sha256Digits } from "../schema/scalars.js";
import { createHubFetch, endpointOf, unavailable, type HubAccess, type HubFetch } from "./hub-requests.js";

/** Configurations, tokenizers and indexes of weights; only these are read whole. */
const largestReadBytes = 64_000_000;

/** What is taken from the listing of a hub: nobody has checked what it says. */
const listedFile = z.object({
  type: z.string(),
  path: z.string(),
  size: z.int().min(0),
  oid: z.string().optional(),
  lfs: z.object({ oid: sha256Digits, size: z.int().min(0) }).optional(),
});

/**
 * A repository of the Hugging Face Hub, or of a mirror, at the commit that a revision is now. The Hub's own client asks
 * for its commit and its list of files, all pages of it.
 *
 * @throws BerthError `model-unavailable`
 */
export async function openHubRepository(access: HubAccess, revision: string): Promise<ModelRepository> {
  // Locks that name no repository do without it: it takes a while to load.
  const { listFiles, modelInfo } = await import("@huggingface/hub");
  const fetchFromHub = createHubFetch(access);
  const hub = { hubUrl: endpointOf(access), fetch: fetchFromHub };
  const info = await understood(access, () =>
    modelInfo({ name: access.repo, revision, additionalFields: ["sha"], ...hub }),
  );
  const commit = commitDigits.safeParse(info.sha);
  if (!commit.success) throw notUnderstood(access, `no commit for the revision ${revision}`);
  const repo = { type: "model", name: access.repo } as const;
  const files = await understood(access, async () => {
    const found: RepositoryFile[] = [];
    for await (const entry of listFiles({ repo, recursive: true, revision: commit.data, ...hub })) {
      const file = readEntry(entry);
      if (file !== undefined) found.push(file);
    }
    return found;
  });
  const source = { access, commit: commit.data, files, fetchFromHub };
  return {
    commit: commit.data,
    task: typeof info.task === "string" ? info.task : undefined,
    files,
    read: (path, firstBytes) => readFile(source, path, firstBytes),
    readRange: (path, offset, bytes) => readRange(source, path, offset, bytes),
    readGguf: async (path) => {
      const range = (offset: number, bytes: number) => readRange(source, path, offset, bytes);
      return Object.fromEntries((await readGgufHeader(range, `${access.where}, ${path}`)).metadata);
    },
  };
}

interface HubSource {
  readonly access: HubAccess;
  readonly commit: string;
  readonly files: readonly RepositoryFile[];
  readonly fetchFromHub: HubFetch;
}

function readEntry(entry: unknown): RepositoryFile | undefined {
  const { type, path, size, oid, lfs } = listedFile.parse(entry);
  if (type !== "file") return undefined;
  const gitSha1 = oid !== undefined && /^[0-9a-f]{40}$/.test(oid) ? oid : undefined;
  if (lfs === undefined) return { path, sizeBytes: size, sha256: undefined, gitSha1 };
  return { path, sizeBytes: lfs.size, sha256: lfs.oid, gitSha1: undefined };
}

async function readFile(source: HubSource, path: string, firstBytes: number | undefined): Promise<Uint8Array> {
  const { access, commit, files, fetchFromHub } = source;
  const address = fileAddress({ ...access, commit }, path);
  const file = files.find((each) => each.path === path);
  const most = firstBytes ?? largestReadBytes;
  if (firstBytes === undefined && (file?.sizeBytes ?? 0) > most) {
    const got = `${path}, ${file?.sizeBytes ?? 0} bytes`;
    throw unavailable(access, { what: "a file without a SHA-256 is too large to be read by a lock", got });
  }
  const headers = firstBytes === undefined ? undefined : { range: `bytes=0-${firstBytes - 1}` };
  const response = await fetchFromHub(address, headers === undefined ? {} : { headers });
  const content = await readBody(response, most);
  if (firstBytes === undefined) assertListed(source, path, content);
  return content;
}

/** No more than so many bytes, whatever the server sends. */
export async function readBody(response: Response, most: number): Promise<Uint8Array> {
  const reader = response.body?.getReader();
  const parts: Uint8Array[] = [];
  for (let size = 0; reader !== undefined && size < most;) {
    const { done, value } = (await reader.read()) as { done: boolean; value?: Uint8Array };
    if (done || value === undefined) break;
    parts.push(value);
    size += value.byteLength;
  }
  await reader?.cancel();
  return Buffer.concat(parts).subarray(0, most);
}

/** A page that asks for a login, or a mirror without its large files, must not become what is pinned. */
function assertListed({ access, files }: HubSource, path: string, content: Uint8Array): void {
  const file = files.find((each) => each.path === path);
  if (isLfsPointer(content)) {
    throw unavailable(access, {
      what: "the hub gives a Git LFS pointer in place of a file",
      got: path,
      hint: "take another mirror: this one has the repository without its large files",
    });
  }
  if (file === undefined || file.gitSha1 === undefined) return;
  const blob = createHash("sha1").update(`blob ${content.byteLength}\0`).update(content).digest("hex");
  if (blob === file.gitSha1) return;
  throw unavailable(access, {
    what: "the hub gives another file than it lists",
    got: `${path}, ${content.byteLength} bytes, Git SHA-1 ${blob}`,
    expected: `${file.sizeBytes} bytes, Git SHA-1 ${file.gitSha1}`,
    hint: "something on the way, such as a login page or a broken mirror, answers in its place",
  });
}

async function readRange(source: HubSource, path: string, offset: number, bytes: number): Promise<Uint8Array> {
  const { access, commit, fetchFromHub } = source;
  const headers = { range: `bytes=${offset}-${offset + bytes - 1}` };
  const response = await fetchFromHub(fileAddress({ ...access, commit }, path), { headers });
  if (response.status !== 206 && offset > 0) {
    await response.body?.cancel();
    throw notUnderstood(access, `${path}: the hub gives no ranges of files`);
  }
  return readBody(response, bytes);
}

async function understood<T>(access: HubAccess, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof BerthError) throw error;
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : "";
    throw notUnderstood(access, reason);
  }
}

function notUnderstood(access: HubAccess, got: string): Error {
  return unavailable(access, {
    what: "what the hub answers cannot be understood",
    got: `${endpointOf(access)}: ${got}`.slice(0, 500),
    hint: "check that `endpoint`, or `mirrors.huggingface`, is a hub or a mirror of it",
  });
}
