import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { findImageFlaw, readSignerKey, type FoundImageSignature } from "../../src/install/signature.js";
import { askImageSignatures } from "../../src/lock/image-signature.js";
import { cosignImage, cosignText } from "../support/cosign.js";
import { ImageRegistry, registryPassword, registryUser } from "../support/image-registry.js";
import { bundleOf, Signer } from "../support/signer.js";

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const payloadType = "application/vnd.dev.cosign.simplesigning.v1+json";
const asker = { findLogin: () => Promise.resolve({ username: registryUser, password: registryPassword }) };
const signer = new Signer();
const cosignKey = readSignerKey({ file: "key.pub", sha256: "" }, cosignText("key.pub"));

let registry: ImageRegistry;
beforeAll(async () => {
  registry = await ImageRegistry.start();
});
afterAll(() => registry.close());

/** An image in a repository of its own, with a configuration of its own. */
async function push(repository: string): Promise<{ digest: string; ask: () => ReturnType<typeof askImageSignatures> }> {
  const config = JSON.stringify({ architecture: "amd64", os: "linux", author: repository });
  const digest = await registry.push(repository, "1.0", { config, layers: [] });
  return { digest, ask: () => askImageSignatures(`${registry.host}/${repository}:1.0`, digest, asker) };
}

/** As `cosign sign` has put signatures beside images since its first version. */
async function tag(repository: string, digest: string, signatures: readonly FoundImageSignature[]): Promise<void> {
  const layers = signatures.map(({ payload: content, value }) => {
    return { content, mediaType: payloadType, annotations: { "dev.cosignproject.cosign/signature": value } };
  });
  await registry.attach(repository, `${digest.replace(":", "-")}.sig`, { layers });
}

/** As it does with bundles, where the registry cannot list what refers to an image. */
async function refer(repository: string, digest: string, bundles: readonly string[]): Promise<void> {
  const subject = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest, size: 1 };
  const described: Awaited<ReturnType<ImageRegistry["attach"]>>[] = [];
  // One after the other: a registry that is given one blob twice at once may lose it for a moment.
  for (const content of bundles) {
    const layers = [{ content, mediaType: bundleType }];
    described.push(await registry.attach(repository, undefined, { layers, artifactType: bundleType, subject }));
  }
  await registry.putIndex(repository, digest.replace(":", "-"), described);
}

describe("the signatures that a registry has of an image", () => {
  it("are none where nobody signed", async () => {
    const { ask } = await push("plain/engine");
    expect(await ask()).toEqual({ kind: "found", signatures: [] });
  });

  it("are those at cosign's tag, all of them", async () => {
    const { digest, ask } = await push("tagged/engine");
    const signatures = [new Signer().signImage(digest), signer.signImage(digest)];
    await tag("tagged/engine", digest, signatures);
    expect(await ask()).toEqual({ kind: "found", signatures });
  });

  it("are those in bundles that refer to it, and not what else does", async () => {
    const { digest, ask } = await push("referred/engine");
    const signatures = [signer.stateImage(digest), new Signer().stateImage(digest)];
    const bundles = signatures.map(bundleOf);
    await refer("referred/engine", digest, [...bundles, cosignText("file.sigstore.json"), "no bundle"]);
    expect(await ask()).toEqual({ kind: "found", signatures });
  });

  it("are cosign's own, and right", async () => {
    const digest = await registry.push("team/engine", "1.0");
    expect(digest).toBe(cosignImage);
    const [, value = ""] = /"dev.cosignproject.cosign\/signature":"([^"]*)"/.exec(cosignText("image.sig.json")) ?? [];
    await tag("team/engine", digest, [{ format: "simpleSigning", payload: cosignText("image.payload.json"), value }]);
    await refer("team/engine", digest, [cosignText("image.sigstore.json")]);
    const answer = await askImageSignatures(`${registry.host}/team/engine:1.0`, digest, asker);
    const signatures = answer.kind === "found" ? answer.signatures : [];
    expect(signatures.map(({ format }) => format)).toEqual(["simpleSigning", "statement"]);
    expect(signatures.map((signature) => findImageFlaw(digest, signature, cosignKey))).toEqual([undefined, undefined]);
  });

  it("are not told without a login", async () => {
    const { digest } = await push("closed/engine");
    const answer = await askImageSignatures(`${registry.host}/closed/engine:1.0`, digest);
    expect(answer).toEqual({ kind: "refused", reason: "HTTP status 401" });
  });
});

describe("a registry that lists what refers to an image", () => {
  const digest = `sha256:${"a".repeat(64)}`;

  /** Answers by path. */
  async function serveRegistry(answers: Readonly<Record<string, string>>, status = 404): Promise<string> {
    const server = createServer(({ url = "" }, response) => {
      const body = answers[url.replace("/v2/team/engine/", "")];
      response.writeHead(body === undefined ? status : 200).end(body);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    onTestFinished(() => new Promise<void>((done) => void server.close(() => done())));
    return `127.0.0.1:${(server.address() as AddressInfo).port}/team/engine:1.0`;
  }
  const list = JSON.stringify({ manifests: [{ digest: "sha256:1", artifactType: bundleType }] });
  const manifest = JSON.stringify({ layers: [{ mediaType: bundleType, digest: "sha256:2" }] });

  it("is asked for the list", async () => {
    const signature = signer.stateImage(digest);
    const answers = {
      [`referrers/${digest}`]: list,
      "manifests/sha256:1": manifest,
      "blobs/sha256:2": bundleOf(signature),
    };
    expect(await askImageSignatures(await serveRegistry(answers), digest)).toEqual({
      kind: "found",
      signatures: [signature],
    });
  });

  it.each([
    ["a list that is no JSON", { [`referrers/${digest}`]: "<html>" }],
    ["a list of nothing that is there", { [`referrers/${digest}`]: list }],
    ["a bundle that is not there", { [`referrers/${digest}`]: list, "manifests/sha256:1": manifest }],
    [
      "a bundle larger than any",
      { [`referrers/${digest}`]: list, "manifests/sha256:1": manifest, "blobs/sha256:2": " ".repeat(2 ** 20 + 1) },
    ],
  ])("has no signature with %s", async (_, answers) => {
    expect(await askImageSignatures(await serveRegistry(answers), digest)).toEqual({ kind: "found", signatures: [] });
  });

  it("that fails tells nothing", async () => {
    const answer = await askImageSignatures(await serveRegistry({}, 500), digest);
    expect(answer).toEqual({ kind: "refused", reason: "HTTP status 500" });
  });
});
