import { describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { findPlatforms } from "../../../src/lock/image-platforms.js";

/** A repository that has texts by their digests. */
class Contents {
  readonly #texts = new Map<string, string>();
  readonly asked: string[] = [];

  put(value: unknown): string {
    const text = JSON.stringify(value);
    const digest = `sha256:${sha256(text)}`;
    this.#texts.set(digest, text);
    return digest;
  }

  damage(digest: string): void {
    this.#texts.set(digest, `${this.#texts.get(digest) ?? ""} `);
  }

  find(digest: string) {
    return findPlatforms(digest, (kind, one) => {
      this.asked.push(`${kind}/${one}`);
      const text = this.#texts.get(one);
      return Promise.resolve(text === undefined ? undefined : Buffer.from(text));
    });
  }
}

const id = (letter: string) => `sha256:${letter.repeat(64)}`;

describe("the platforms of an image", () => {
  it("are those of its index that Berth runs on, each with its digest, that of its configuration, and its layers' size", async () => {
    const contents = new Contents();
    const layers = [{ size: 30_000_000 }, { size: 1_200 }];
    const amd64 = contents.put({ config: { digest: id("a") }, layers });
    const arm64 = contents.put({ config: { digest: id("b") } });
    const index = contents.put({
      manifests: [
        { digest: amd64, platform: { os: "linux", architecture: "amd64" } },
        { digest: arm64, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
        { digest: id("c"), platform: { os: "linux", architecture: "riscv64" } },
        // What builders say of how an image was made.
        { digest: id("d"), platform: { os: "unknown", architecture: "unknown" } },
        { digest: id("e") },
      ],
    });
    expect(await contents.find(index)).toEqual({
      "linux/amd64": { digest: amd64, id: id("a"), sizeBytes: 30_001_200 },
      "linux/arm64": { digest: arm64, id: id("b") },
    });
    expect(contents.asked).toHaveLength(3);
  });

  it("of an image without an index is what its configuration says", async () => {
    const contents = new Contents();
    const config = contents.put({ os: "linux", architecture: "arm64", rootfs: {} });
    const manifest = contents.put({ config: { digest: config } });
    expect(await contents.find(manifest)).toEqual({ "linux/arm64": { digest: manifest, id: config } });
  });

  it("are not known when the registry does not give them, or gives what the digest is not of", async () => {
    const contents = new Contents();
    const config = contents.put({ os: "linux", architecture: "amd64" });
    const manifest = contents.put({ config: { digest: config } });
    expect(await contents.find(id("f"))).toBeUndefined();
    contents.damage(config);
    expect(await contents.find(manifest)).toBeUndefined();
    contents.damage(manifest);
    expect(await contents.find(manifest)).toBeUndefined();
  });

  it.each([{}, [], null, "text", { manifests: "none" }, { manifests: [] }, { config: {} }, { manifests: [{}] }])(
    "are not known of %j",
    async (value) => {
      const contents = new Contents();
      expect(await contents.find(contents.put(value))).toBeUndefined();
    },
  );
});
