import { describe, expect, it } from "vitest";

import { draftRelease, finishRelease } from "../../../src/catalog/release.js";
import { sha256 } from "../../../src/lib/canonical.js";
import type { SignatureAnswer } from "../../../src/lock/image-signature.js";
import { pinInstall } from "../../../src/lock/pin.js";
import type { LockedDeployment } from "../../../src/schema/lock.js";
import type { StackFile } from "../../../src/schema/stack.js";
import { Signer } from "../../support/signer.js";
import { catalogueOf, engineBackend } from "../support/catalogues.js";
import { fakeEdges } from "../support/edges.js";
import { platform } from "../support/problems.js";
import { rejectionOf } from "../support/thrown.js";

const url = "https://files.example.net/v1/engine.tar.gz";
const keyFile = "keys/team.pub";
const key = { file: keyFile, sha256: sha256(keyFile) };
const model = { from: { source: "file" as const, path: "/m.gguf" }, file: "m.gguf", sha256: "a".repeat(64) };
const reference = "registry.example.net/team/engine:1.0";
const digest = `sha256:${"d".repeat(64)}`;
const signer = new Signer();
/** As the SHA-256 of what lies at the address. */
const bytes = "the engine";

type Install = NonNullable<NonNullable<Parameters<typeof engineBackend>[0]>["versions"]>[string]["install"];

interface World {
  /** What lies at addresses. */
  texts?: Record<string, string>;
  images?: SignatureAnswer;
  pem?: string;
  before?: LockedDeployment;
  mirrors?: StackFile["mirrors"];
}

async function pin(install: Install, { texts = {}, images, pem = signer.pem, before, mirrors = {} }: World = {}) {
  const catalogue = catalogueOf(
    [engineBackend({ defaultVersion: undefined, versions: { "1.0": { install } } })],
    [keyFile],
  );
  const deployment = { backend: "engine", contextLength: 4096, extraParameters: [], env: {} };
  const draft = draftRelease({ catalogue, deployment, model, platform, where: "deployment chat" });
  const asked: string[] = [];
  const edges = {
    ...fakeEdges(),
    fetchReleaseFile: () => Promise.resolve({ sha256: sha256(bytes), sizeBytes: 7 }),
    readContent: () => Promise.resolve(pem),
    fetchSignature(address: string) {
      asked.push(address);
      return Promise.resolve(texts[address]);
    },
    askImageSignatures({ reference: name, digest: of }: { reference: string; digest: string }) {
      asked.push(`${name}@${of}`);
      return Promise.resolve(images ?? ({ kind: "found", signatures: [] } as const));
    },
    askImageDigest: () => Promise.resolve({ kind: "found", digest } as const),
  };
  const previous = before === undefined ? {} : { other: before };
  const { install: pinned } = await pinInstall({ catalogue, mirrors, previous, resolved: {} }, draft, edges);
  return { install: pinned, asked, locked: finishRelease(draft, pinned) };
}

function file(changes: { url?: string; sha256?: string } = {}): Install {
  const { sha256: pinned, url: at } = changes;
  const signature = { key: keyFile, ...(at === undefined ? {} : { url: at }) };
  return {
    binary: [
      {
        os: "linux",
        arch: "x64",
        url,
        executable: "engine",
        signature,
        ...(pinned === undefined ? {} : { sha256: pinned }),
      },
    ],
  };
}
const image: Install = { image: { reference, signature: { key: keyFile } } };
const right = { [`${url}.sig`]: signer.sign(bytes) };
const found = (...signatures: Extract<SignatureAnswer, { kind: "found" }>["signatures"]): World => ({
  images: { kind: "found", signatures },
});

describe("the signature of a file", () => {
  it("is pinned with its key, whether the backend file has the SHA-256 or not", async () => {
    for (const install of [file(), file({ sha256: sha256(bytes) })]) {
      const { install: pinned } = await pin(install, { texts: right });
      expect(pinned).toMatchObject({
        artifacts: [{ sha256: sha256(bytes), signature: { key, value: right[`${url}.sig`] } }],
      });
    }
  });

  it.each([
    ["beside the file", file(), `${url}.sig`],
    ["where it is said to be", file({ url: "https://sign.example.net/a.json" }), "https://sign.example.net/a.json"],
  ])("is fetched %s, or there at the mirror", async (_, install, address) => {
    const at = (place: string) => ({ texts: { [place]: signer.sign(bytes) } });
    expect((await pin(install, at(address))).asked).toEqual([address]);
    const mirrored = `https://mirror.example.net/files${new URL(address).pathname}`;
    const mirrors = { downloadBaseUrl: "https://mirror.example.net/files" };
    expect((await pin(install, { ...at(mirrored), mirrors })).asked).toEqual([mirrored]);
  });

  it("is where the address has a query before it", async () => {
    const queried = { binary: [{ os: "linux", arch: "x64", url: `${url}?v=1`, signature: { key: keyFile } }] } as const;
    const { asked } = await pin({ binary: [...queried.binary] }, { texts: { [`${url}.sig?v=1`]: signer.sign(bytes) } });
    expect(asked).toEqual([`${url}.sig?v=1`]);
  });

  it.each<[string, World, string]>([
    ["missing", {}, "no signature at"],
    ["a page", { texts: { [`${url}.sig`]: "<html>" } }, "something that is no signature"],
    ["of other bytes", { texts: { [`${url}.sig`]: signer.sign("another engine") } }, "of other bytes"],
    ["of another key", { texts: { [`${url}.sig`]: new Signer().sign(bytes) } }, "another key"],
  ])("that is %s makes no lock", async (_, world, got) => {
    const error = await rejectionOf(pin(file(), world));
    expect(error).toMatchObject({ code: "signature-invalid" });
    expect(String(error)).toContain(got);
    expect(String(error)).toContain(`backends/${keyFile}`);
  });

  it("stays as it was locked while it is right, and is not asked for again", async () => {
    const { locked } = await pin(file(), { texts: right });
    const again = await pin(file(), { before: locked });
    expect([again.asked, again.install]).toEqual([[], locked.install]);
  });

  it("is looked up anew for another key, whatever was locked before", async () => {
    const { locked } = await pin(file(), { texts: right });
    const next = new Signer();
    const texts = { [`${url}.sig`]: next.sign(bytes) };
    expect((await pin(file(), { before: locked, pem: next.pem, texts })).asked).toEqual([`${url}.sig`]);
    expect(await rejectionOf(pin(file(), { before: locked, pem: next.pem }))).toMatchObject({
      code: "signature-invalid",
    });
  });

  it("is looked up for what was locked without one, and is gone when nobody asks for it", async () => {
    const unsigned: Install = { binary: [{ os: "linux", arch: "x64", url, executable: "engine" }] };
    const { locked } = await pin(unsigned);
    const signed = await pin(file(), { before: locked, texts: right });
    expect(signed.asked).toEqual([`${url}.sig`]);
    expect((await pin(unsigned, { before: signed.locked })).install).toEqual(locked.install);
  });

  it("needs a key", async () => {
    expect(await rejectionOf(pin(file(), { pem: "text" }))).toMatchObject({ code: "file-invalid" });
  });
});

describe("the signature of an image", () => {
  const simple = signer.signImage(digest);

  it("is pinned with its key, of several the one that is right", async () => {
    const { install, asked } = await pin(
      image,
      found(new Signer().signImage(digest), signer.stateImage(digest), simple),
    );
    expect(install).toEqual({
      method: "image",
      reference,
      digest,
      signature: { key, ...signer.stateImage(digest), value: expect.any(String) as string },
    });
    expect(asked).toEqual([`${reference}@${digest}`]);
  });

  it("is asked for where the image is pulled from, of the digest that the backend file has", async () => {
    const own: Install = { image: { reference, digest, signature: { key: keyFile } } };
    const mirrors = { registries: { "registry.example.net": "mirror.example.net" } };
    const { asked } = await pin(own, { ...found(simple), mirrors });
    expect(asked).toEqual([`mirror.example.net/team/engine:1.0@${digest}`]);
  });

  it.each<[string, World, string]>([
    ["missing", found(), "no signature in its registry"],
    ["of another key", found(new Signer().signImage(digest)), "another key"],
    ["of another image", found(signer.signImage(`sha256:${"e".repeat(64)}`)), "a signature of sha256:eee"],
    ["an attestation", found(signer.stateImage(digest, "https://spdx.dev/Document")), "spdx.dev"],
  ])("that is %s makes no lock", async (_, world, got) => {
    const error = await rejectionOf(pin(image, world));
    expect(error).toMatchObject({ code: "signature-invalid" });
    expect(String(error)).toContain(got);
  });

  it("that the registry does not tell is no wrong one", async () => {
    const refused = { images: { kind: "refused", reason: "HTTP status 401" } } as const;
    expect(await rejectionOf(pin(image, refused))).toMatchObject({ code: "download-failed" });
  });

  it("stays as it was locked, and is gone when nobody asks for it", async () => {
    const { locked } = await pin(image, found(simple));
    const again = await pin(image, { before: locked });
    expect([again.asked, again.install]).toEqual([[], locked.install]);
    expect((await pin({ image: { reference } }, { before: locked })).install).toEqual({
      method: "image",
      reference,
      digest,
    });
  });

  it("is looked up for an image that was locked without one", async () => {
    const { locked } = await pin({ image: { reference } });
    expect((await pin(image, { ...found(simple), before: locked })).install).toMatchObject({
      digest,
      signature: { value: simple.value },
    });
  });
});
