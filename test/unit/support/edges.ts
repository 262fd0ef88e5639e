import { sha256 } from "../../../src/lib/canonical.js";
import type { LockEdges } from "../../../src/lock/build.js";
import type { KnownHost } from "../../../src/planner/host-choice.js";
import type { LockFile } from "../../../src/schema/lock.js";
import { knownHost } from "./problems.js";

/** Edges of a lock that answer by rule and remember which wheels were asked for. */
export interface FakeEdges extends LockEdges {
  readonly asked: string[];
}

export function fakeEdges(changes: Parameters<typeof knownHost>[1] = {}): FakeEdges {
  const asked: string[] = [];
  return {
    asked,
    knowHost: (name, { dataDir }): Promise<KnownHost> => Promise.resolve(knownHost(dataDir ?? `/srv/${name}`, changes)),
    findWheel(name, version, indexUrl) {
      asked.push(`${name}==${version}${indexUrl === undefined ? "" : ` from ${indexUrl}`}`);
      return Promise.resolve({ sha256: sha256(`${name} ${version}`) });
    },
    openRepository({ repo, revision }) {
      asked.push(`${repo} at ${revision}`);
      return Promise.reject(new Error("no repository here"));
    },
    readMemory({ where }) {
      asked.push(`memory of ${where}`);
      return Promise.resolve(undefined);
    },
    lockPackages({ package: name, version, indexUrl }) {
      asked.push(`requirements of ${name} ${version}${indexUrl === undefined ? "" : ` from ${indexUrl}`}`);
      return Promise.resolve(`${name}==${version} --hash=sha256:${sha256(name + version)}\n`);
    },
    fetchReleaseFile({ url }) {
      asked.push(url);
      return Promise.resolve({ sha256: sha256(url), sizeBytes: url.length });
    },
    askImageDigest(reference) {
      asked.push(reference);
      return Promise.resolve({ kind: "found", digest: `sha256:${sha256(reference)}` });
    },
    readContent: ({ file }) => Promise.reject(new Error(`no file ${file} here`)),
    fetchSignature(url) {
      asked.push(`signature ${url}`);
      return Promise.resolve(undefined);
    },
    askImageSignatures({ reference }) {
      asked.push(`signatures of ${reference}`);
      return Promise.resolve({ kind: "found", signatures: [] });
    },
  };
}

/** The files that a lock resolved, as they are where nobody has touched them. */
export function resolvedBy(release: LockFile["release"] = {}): Record<string, string> {
  const found = Object.values(release).flatMap(({ install }) =>
    install.method === "pipx" ? [install.requirements] : [],
  );
  return Object.fromEntries(found.map(({ file, sha256 }) => [file, sha256]));
}
