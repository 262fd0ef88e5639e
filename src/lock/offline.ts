import { BerthError } from "../lib/errors.js";
import type { LockEdges } from "./build.js";

type Questions = Omit<LockEdges, "knowHost" | "readMemory" | "readContent">;

/** Edges that ask nobody: what was not locked before is refused. */
export const offlineQuestions: Questions = {
  findWheel: (name, version) => refuse(`the wheel of ${name} ${version}`),
  openRepository: ({ repo, revision }) => refuse(`the commit of ${repo} at ${revision}`),
  lockPackages: ({ package: name, version }) => refuse(`what ${name} ${version} needs`),
  fetchReleaseFile: ({ url }) => refuse(`the digest of ${url}`),
  askImageDigest: (reference) => refuse(`the digest of ${reference}`),
  fetchSignature: (url) => refuse(`the signature at ${url}`),
  askImageSignatures: ({ reference }) => refuse(`who signed ${reference}`),
};

function refuse(what: string): Promise<never> {
  return Promise.reject(offlineError(what));
}

/** @param what is not known yet */
export function offlineError(what: string): BerthError {
  return new BerthError("offline", {
    what: "something would have to be looked up outside, and this run may not (--offline)",
    got: `${what} is not known yet`,
    hint: "run `berth lock` where there is a network, and commit the lock",
  });
}
