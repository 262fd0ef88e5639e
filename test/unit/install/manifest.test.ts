import { posix } from "node:path";

import { describe, expect, it } from "vitest";

import type { FileStatus } from "../../../src/host/host.js";
import { compareManifest, makeManifest } from "../../../src/install/manifest.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { MemoryHost } from "../support/memory-host.js";

/** A host where no change of a file ever shows in its times. */
class TimelessHost extends MemoryHost {
  override async walk(folder: string): Promise<Map<string, FileStatus>> {
    const found = new Map<string, FileStatus>();
    for (const path of this.files.keys()) {
      const status = await this.status(path);
      if (status !== undefined) found.set(posix.relative(folder, path), status);
    }
    return found;
  }
  override sha256(path: string): Promise<string> {
    return Promise.resolve(sha256(this.files.get(path) ?? ""));
  }
}

describe("a manifest", () => {
  it("finds bytes that were changed behind the times of their file when every file is read again", async () => {
    const host = new TimelessHost();
    host.files.set("/engine/a", "one");
    host.files.set("/engine/b", "two");
    const manifest = await makeManifest(host, "/engine");
    expect(await compareManifest(host, "/engine", manifest, "all")).toEqual([]);
    host.files.set("/engine/b", "owt");
    expect(await compareManifest(host, "/engine", manifest)).toEqual([]);
    expect(await compareManifest(host, "/engine", manifest, "all")).toEqual(["b was changed"]);
  });
});
