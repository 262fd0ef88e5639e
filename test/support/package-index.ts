import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { normalizeName } from "../../src/model/package-name.js";
import { serveFiles, type Answer, type FileServer } from "./file-server.js";
import { repository } from "./toolchain.js";

/** A wheel with nothing in it but its metadata, and a command if it has one. */
export interface TinyWheel {
  name: string;
  version: string;
  /** Default: `py3-none-any` */
  tag?: string;
  requires?: string[];
  extras?: string[];
  /** Python versions that it says it works with. */
  python?: string;
  command?: string;
}

export interface PackageIndex extends FileServer {
  /** Address of the index. */
  readonly address: string;
  /** SHA-256 of each file by its name. */
  readonly hashes: Readonly<Record<string, string>>;
}

export interface IndexOptions {
  /** Files that are listed and cannot be fetched, such as source archives. */
  listed?: { name: string; file: string }[];
  /** Lists the files without their hashes. */
  withoutHashes?: boolean;
  /** `Basic ...`: refuses who does not say it. */
  authorization?: string;
}

/** A package index on loopback, of wheels that are made in a folder. */
export async function servePackages(
  folder: string,
  wheels: readonly TinyWheel[],
  options: IndexOptions = {},
): Promise<PackageIndex> {
  const request = { folder, wheels: wheels.map((wheel) => ({ tag: "py3-none-any", ...wheel })) };
  const script = join(repository, "test", "support", "wheels.py");
  const hashes = readHashes(execFileSync("python3", ["-I", script], { input: JSON.stringify(request) }).toString());
  const listed = [
    ...Object.entries(hashes).map(([file, hash]) => ({ name: file.split("-")[0] ?? "", file, hash })),
    ...(options.listed ?? []).map((entry) => ({ ...entry, hash: "0".repeat(64) })),
  ];
  const files: Record<string, Answer> = {};
  for (const { name, file, hash } of listed) {
    const page = `/simple/${normalizeName(name)}/`;
    const fragment = options.withoutHashes === true ? "" : `#sha256=${hash}`;
    files[page] = `${asText(files[page])}<a href="/files/${file}${fragment}">${file}</a>\n`;
    if (file in hashes) files[`/files/${file}`] = readFileSync(join(folder, file));
  }
  const server = await serveFiles(guard(files, options.authorization));
  return { ...server, requests: server.requests, address: server.url("/simple"), hashes };
}

function readHashes(text: string): Record<string, string> {
  const parsed: unknown = JSON.parse(text);
  if (typeof parsed !== "object" || parsed === null) throw new TypeError("expected an object");
  return Object.fromEntries(Object.entries(parsed).map(([file, hash]) => [file, String(hash)]));
}

function asText(answer: Answer | undefined): string {
  return typeof answer === "string" ? answer : "";
}

function guard(files: Record<string, Answer>, authorization: string | undefined): Record<string, Answer> {
  return Object.fromEntries(
    Object.entries(files).map(([path, answer]): [string, Answer] => [
      path,
      (request, response) => {
        if (authorization !== undefined && request.headers.authorization !== authorization) {
          response.writeHead(401, { "www-authenticate": "Basic" }).end();
          return;
        }
        const type = path.startsWith("/simple/") ? "text/html" : "application/octet-stream";
        const body = typeof answer === "function" ? "" : answer;
        response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) });
        response.end(request.method === "HEAD" ? undefined : body);
      },
    ]),
  );
}
