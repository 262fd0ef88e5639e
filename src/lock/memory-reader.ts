import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { sha256 } from "../lib/canonical.js";
import { BerthError } from "../lib/errors.js";
import type { MemoryModel } from "../model/memory-model.js";
import { fileAddress } from "../model/repository.js";
import type { LockedModel } from "../schema/model.js";
import type { MemoryRequest } from "./draft.js";
import { createHubFetch, type HubAccess } from "./hub-requests.js";
import { readBody } from "./hub.js";
import { openLocalModel } from "./local-model.js";
import { offlineError } from "./offline.js";
import { readMemoryModel, type ModelFiles } from "./model-memory.js";

export interface MemoryReaderOptions {
  /** Where what was read is kept: models are known by their content, so that it never changes. */
  readonly folder: string;
  readonly findSecret: (name: string) => Promise<string | undefined>;
  /** Only what was read before, and files of this machine. */
  readonly offline?: boolean;
}

/**
 * Reads what the memory of a locked model depends on, by ranges of its files, and each of them once.
 *
 * @throws BerthError `model-unavailable`
 */
export async function readLockedMemory(
  request: MemoryRequest,
  { folder, findSecret, offline = false }: MemoryReaderOptions,
): Promise<MemoryModel | undefined> {
  const { model, where, token } = request;
  const secret = token === undefined ? undefined : await findSecret(token);
  const place = await openFiles(request, secret);
  if (place === undefined) return undefined;
  const isOutside = model.from.source !== "file";
  const files = remember(offline && isOutside ? unreadable(place, where) : place, join(folder, model.sha256));
  const patterns = model.from.source === "huggingface" ? model.from.patterns : [model.file];
  return readMemoryModel(files, patterns, where);
}

async function openFiles(
  { model, hubEndpoint, isLocal, where }: MemoryRequest,
  token: string | undefined,
): Promise<ModelFiles | undefined> {
  const { from } = model;
  // A single file that is no GGUF does not tell what it is the weights of.
  if (from.source !== "huggingface" && !/\.gguf$/i.test(model.file)) return undefined;
  switch (from.source) {
    case "huggingface":
      return hubFiles(from, { repo: from.repo, endpoint: from.endpoint ?? hubEndpoint, token, where });
    case "url":
      return urlFiles(model, from.url, where);
    case "file":
      return isLocal ? renamed(await openLocalModel(from.path), from.path, model.file) : undefined;
    case "wheels":
      return undefined;
  }
}

function unreadable({ files }: ModelFiles, where: string): ModelFiles {
  const refuse = () => Promise.reject(offlineError(`the memory of the model of ${where}`));
  return { files, read: refuse, readRange: refuse };
}

type Repository = Extract<LockedModel["from"], { source: "huggingface" }>;

/** The lock has the list of files; only their content is asked for. */
function hubFiles({ files, commit }: Repository, access: HubAccess): ModelFiles {
  const fetchFromHub = createHubFetch(access);
  const address = (path: string) => fileAddress({ ...access, commit }, path);
  return {
    files: files.map((file) => ({ ...file, gitSha1: undefined })),
    read: async (path) => {
      const sizeBytes = files.find((file) => file.path === path)?.sizeBytes ?? 0;
      const content = await readBody(await fetchFromHub(address(path)), sizeBytes + 1);
      if (sha256(content) === files.find((file) => file.path === path)?.sha256) return content;
      throw unread(access.where, "the hub gives another file than the lock has", path);
    },
    readRange: (path, offset, bytes) =>
      readRange((headers) => fetchFromHub(address(path), { headers }), { path, offset, bytes, where: access.where }),
  };
}

/** One file, which is known by its name in the lock. */
function urlFiles({ file, sha256: digest }: LockedModel, url: string, where: string): ModelFiles {
  const read = (offset: number, bytes: number) =>
    readRange((headers) => ask(url, headers, where), { path: file, offset, bytes, where });
  return {
    files: [{ path: file, sizeBytes: Number.MAX_SAFE_INTEGER, sha256: digest, gitSha1: undefined }],
    read: () => Promise.reject(unread(where, "a single file is not read whole", file)),
    readRange: (_, offset, bytes) => read(offset, bytes),
  };
}

const requestSeconds = 60;

async function ask(url: string, headers: Record<string, string>, where: string): Promise<Response> {
  const signal = AbortSignal.timeout(requestSeconds * 1000);
  const shown = url.replace(/\?.*$/s, "");
  let response: Response;
  try {
    response = await fetch(url, { headers, signal });
  } catch {
    throw unread(where, "the server of the model did not answer", shown);
  }
  if (response.ok) return response;
  await response.body?.cancel();
  throw unread(where, `the server of the model refused to answer: HTTP status ${response.status}`, shown);
}

interface Range {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly where: string;
}

async function readRange(
  askFor: (headers: Record<string, string>) => Promise<Response>,
  { path, offset, bytes, where }: Range,
): Promise<Uint8Array> {
  const response = await askFor({ range: `bytes=${offset}-${offset + bytes - 1}` });
  if (response.status === 206 || offset === 0) return readBody(response, bytes);
  await response.body?.cancel();
  throw unread(where, "the server gives no ranges of files, by which a model's header is read", path);
}

/** A file that lies under another name than the lock gives it. */
function renamed(files: ModelFiles, path: string, name: string): ModelFiles {
  const [own = path] = path.split("/").slice(-1);
  return {
    files: files.files.flatMap((file) => (file.path === own ? [{ ...file, path: name }] : [])),
    read: () => files.read(own),
    readRange: (_, offset, bytes) => files.readRange(own, offset, bytes),
  };
}

/** What was read before comes from the folder. */
function remember(files: ModelFiles, folder: string): ModelFiles {
  const once = async (key: string, read: () => Promise<Uint8Array>): Promise<Uint8Array> => {
    const path = join(folder, sha256(key).slice(0, 32));
    const known = await readFile(path).catch(() => undefined);
    if (known !== undefined) return known;
    const content = await read();
    await mkdir(folder, { recursive: true });
    await writeFile(`${path}.${process.pid}`, content);
    await rename(`${path}.${process.pid}`, path);
    return content;
  };
  return {
    files: files.files,
    read: (path) => once(path, () => files.read(path)),
    readRange: (path, offset, bytes) => once(`${offset} ${bytes} ${path}`, () => files.readRange(path, offset, bytes)),
  };
}

function unread(where: string, what: string, got: string): BerthError {
  return new BerthError("model-unavailable", {
    where,
    what,
    got,
    hint: "a model's header is read to know its memory: make it readable here, or state what it needs by `resources`",
  });
}
