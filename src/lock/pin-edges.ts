import { gatherPython } from "../host/facts.js";
import type { Host } from "../host/host.js";
import type { FindRegistryLogin } from "../host/registry-login.js";
import type { Content } from "../install/content.js";
import { BerthError } from "../lib/errors.js";
import { Serial } from "../lib/serial.js";
import { askImageDigest, askImagePlatforms, askImagePresence, type ImageAnswer } from "./image-digest.js";
import { askImageSignatures } from "./image-signature.js";
import type { SignatureEdges } from "./pin-signature.js";
import type { LockRequest } from "./python-lock-request.js";
import type { Presence } from "./presence.js";
import { lockRequirements } from "./python-lock.js";
import { fetchReleaseFile, fetchSignature, type ReleaseFile, type ReleaseRequest } from "./release-file.js";

/** What has to be looked up outside to pin a backend version. */
export interface PinEdges {
  /** The text of a requirements file with hashes. */
  lockPackages(request: LockRequest): Promise<string>;
  fetchReleaseFile(request: ReleaseRequest): Promise<ReleaseFile>;
  askImageDigest(reference: string): Promise<ImageAnswer>;
}

/** What can be asked of what is pinned. */
export interface PresenceEdges {
  /** Whether the registry has the image of a digest. */
  askImagePresence(reference: string, digest: string): Promise<Presence>;
}

export interface PinPlace {
  /** This machine. */
  readonly host: Host;
  /** Where uv is put, and what it downloads. */
  readonly folder: string;
  readonly content: Content;
  /** The index of requests that name none, or undefined for the public one. */
  readonly defaultIndex: string | undefined;
  /** For registries that ask for a login. */
  readonly findLogin?: FindRegistryLogin;
  readonly signal?: AbortSignal;
}

/** The real edges: package index, releases and registries are asked from this machine. */
export function createPinEdges({
  host,
  folder,
  content,
  defaultIndex,
  findLogin,
  signal,
}: PinPlace): PinEdges & PresenceEdges & SignatureEdges {
  const serial = new Serial();
  const limits = signal === undefined ? {} : { signal };
  return {
    async lockPackages(request) {
      const { python } = await gatherPython(host);
      if (python === undefined) {
        throw new BerthError("host-unsuitable", {
          where: "this machine",
          what: "no suitable Python was found",
          expected: "Python 3.10 or later with its venv and ensurepip modules on PATH",
          hint: "install it (Debian and Ubuntu: apt-get install python3-venv; macOS: brew install python)",
        });
      }
      const context = {
        host,
        dataDir: folder,
        python: python.path,
        content,
        serial,
        indexUrl: defaultIndex,
        ...limits,
      };
      return lockRequirements(context, request);
    },
    fetchReleaseFile: (request) => fetchReleaseFile(request, signal),
    readContent: (file) => content.backendFile(file),
    fetchSignature: (url) => fetchSignature(url, signal),
    askImageSignatures: ({ reference, digest }) => askImageSignatures(reference, digest, { findLogin, signal }),
    askImagePresence: (reference, digest) => askImagePresence(reference, digest, { findLogin, signal }),
    async askImageDigest(reference) {
      const asker = { findLogin, signal };
      const answer = await askImageDigest(reference, asker);
      if (answer.kind !== "found") return answer;
      return { ...answer, platforms: await askImagePlatforms(reference, answer.digest, asker) };
    },
  };
}
