import { mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { baseEnvironment } from "../../src/host/environment.js";
import { LocalHost } from "../../src/host/local.js";
import { defaultPace, type DownloadPace } from "../../src/host/transfer-watch.js";
import type { BinaryRelease, ReleaseContext } from "../../src/install/binary.js";
import { createContent } from "../../src/install/content.js";
import { Serial } from "../../src/lib/serial.js";
import { sha256 } from "../../src/lib/canonical.js";

const repository = fileURLToPath(new URL("../..", import.meta.url));

/** A data directory of its own in a temporary folder, and what an installation into it needs. */
export class ReleaseSetting {
  readonly context: ReleaseContext;

  private constructor(readonly root: string) {
    this.context = this.contextOf(defaultPace);
  }

  static async create(): Promise<ReleaseSetting> {
    return new ReleaseSetting(await realpath(await mkdtemp(join(tmpdir(), "berth release "))));
  }

  contextOf(pace: DownloadPace): ReleaseContext {
    return {
      host: new LocalHost("local", baseEnvironment(process.env), pace),
      dataDir: join(this.root, "host"),
      python: () => Promise.resolve("python3"),
      content: createContent(repository, repository),
      serial: new Serial(),
    };
  }

  /** Where a release of the tests is installed. */
  get folder(): string {
    return join(this.root, "host", "backends", "engine_1.0", "id");
  }

  /** Everything in the temporary folder but downloads and scripts. */
  async files(): Promise<string[]> {
    const names = await readdir(this.root, { recursive: true });
    return names.filter((name) => !/^host\/(?:cache|tools)(?:\/|$)/.test(name)).sort();
  }

  dispose(): Promise<void> {
    return rm(this.root, { recursive: true, force: true });
  }
}

/** A release of the tests that is this very file. */
export function releaseOf(content: Buffer, url: string, changes: Partial<BinaryRelease> = {}): BinaryRelease {
  return {
    backend: "engine",
    version: "1.0",
    url,
    sha256: sha256(content),
    executable: "engine/bin/engine",
    unpackedBytes: 1_000_000,
    ...changes,
  };
}
