import { join, posix } from "node:path";

import { listClaims } from "../host/claims.js";
import { defaultDataDir, gatherHost } from "../host/facts.js";
import type { OpenHost } from "../host/host.js";
import { createRegistryLogins } from "../host/registry-login.js";
import type { Content } from "../install/content.js";
import { lookAtDocker } from "../runtime/docker-sight.js";
import { findRunners } from "../runtime/runner-processes.js";
import type { DeclaredType } from "../schema/declared-devices.js";
import { connectionOf } from "../schema/hosts.js";
import type { StackFile } from "../schema/stack.js";
import type { ArtifactEdges } from "./artifact-check.js";
import type { LockEdges } from "./build.js";
import { openHubRepository } from "./hub.js";
import { readIndexAddress } from "./index-address.js";
import { fetchIndexPage } from "./index-page.js";
import { readLockedMemory } from "./memory-reader.js";
import { offlineQuestions } from "./offline.js";
import { createPinEdges } from "./pin-edges.js";
import { askFilePresence } from "./presence.js";
import { secretMissing } from "./secret.js";
import { createStackLogins } from "./stack-login.js";

export interface LockEdgeOptions {
  readonly openHost: OpenHost;
  /** The index of stacks that name none (pip's own setting), or undefined for the public one. */
  readonly defaultIndex: string | undefined;
  /** Folder of the project: what a relative data directory is below. */
  readonly root: string;
  /** Berth's folder in the project: uv is installed there when a lock needs it. */
  readonly workDir: string;
  readonly content: Content;
  /** Types of devices that Berth's own code does not know. */
  readonly declared: readonly DeclaredType[];
  /** Of this process: where Docker's configuration is, which has the logins of registries. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Logins of registries that the stack names. */
  readonly registryLogins?: StackFile["registryLogins"];
  readonly now: () => Date;
  /** Ask nobody but the hosts. */
  readonly offline?: boolean;
  /** A secret's value, for what a lock asks for with it; undefined when it is found nowhere. */
  readonly findSecret: (name: string) => Promise<string | undefined>;
}

/** The real edges of a lock: hosts are looked at, the package index is asked, and uv solves what packages need. */
export function createLockEdges(options: LockEdgeOptions): LockEdges & ArtifactEdges {
  const { openHost, defaultIndex, root, workDir, content, now, findSecret, offline = false } = options;
  const host = openHost({ name: "this machine", connection: "local" });
  const findLogin = createStackLogins(
    options.registryLogins,
    findSecret,
    createRegistryLogins(options.environment, host),
  );
  const pins = createPinEdges({ host, folder: workDir, content, defaultIndex, findLogin });
  return {
    async knowHost(name, entry) {
      const host = openHost({ name, ...connectionOf(entry) });
      const folder = entry.dataDir === undefined ? undefined : posix.resolve(root, entry.dataDir);
      const { facts, usage, warnings } = await gatherHost(host, {
        dataDir: folder,
        lookAtDocker,
        declared: options.declared,
        findRunners: (facts) => findRunners(host, folder ?? defaultDataDir(facts)),
      });
      const dataDir = folder ?? defaultDataDir(facts);
      const claims = await listClaims({ host, dataDir, now: now() });
      // Processes run without a container engine; what is placed on accelerators does not run without them.
      const telling = warnings.filter(({ subject }) => subject === "accelerators").map(({ text }) => text);
      const used = claims.length === 0 ? usage : { ...usage, claims };
      return { facts, usage: used, warnings: telling, dataDir: entry.dataDir ?? dataDir };
    },
    async findWheel(name, version, indexUrl) {
      // Locks that ask no index do without it: it takes a while to load.
      const { findUniversalWheel } = await import("../model/package-index.js");
      const { address, files } = await fetchIndexPage(readIndexAddress(indexUrl ?? defaultIndex), name);
      return findUniversalWheel(files, name, version, address);
    },
    async openRepository({ repo, revision, endpoint, token: secret, where }) {
      const token = secret === undefined ? undefined : await findSecret(secret);
      if (secret !== undefined && token === undefined) throw secretMissing(secret);
      return openHubRepository({ repo, endpoint, token, where }, revision);
    },
    askFilePresence,
    readMemory: (request) =>
      readLockedMemory(request, { folder: join(workDir, "cache", "headers"), findSecret, offline }),
    ...pins,
    ...(offline ? offlineQuestions : {}),
  };
}
