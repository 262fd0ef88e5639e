import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { mirrorImage } from "../../../src/catalog/image-mirror.js";
import { parseImageReference } from "../../../src/catalog/image-reference.js";
import { stackFile } from "../../../src/schema/stack.js";

const mirrors = {
  "docker.io": "registry.example.net/hub",
  "docker.io/library": "registry.example.net/official",
  "ghcr.io/ggml-org": "registry.example.net:5000/ggml",
  "quay.io": "localhost",
};
const digest = `sha256:${"a".repeat(64)}`;

describe("the place of an image in a mirror", () => {
  it.each([
    ["vllm/vllm-openai:v0.19.0", "registry.example.net/hub/vllm/vllm-openai:v0.19.0"],
    ["docker.io/vllm/vllm-openai:v0.19.0", "registry.example.net/hub/vllm/vllm-openai:v0.19.0"],
    ["index.docker.io/vllm/vllm-openai", "registry.example.net/hub/vllm/vllm-openai"],
    [`vllm/vllm-openai@${digest}`, `registry.example.net/hub/vllm/vllm-openai@${digest}`],
    [`vllm/vllm-openai:v1@${digest}`, `registry.example.net/hub/vllm/vllm-openai:v1@${digest}`],
    ["ubuntu:24.04", "registry.example.net/official/ubuntu:24.04"],
    ["library/ubuntu", "registry.example.net/official/ubuntu"],
    ["ghcr.io/ggml-org/llama.cpp:server-cuda", "registry.example.net:5000/ggml/llama.cpp:server-cuda"],
    ["ghcr.io/ggml-org-other/llama.cpp:t", "ghcr.io/ggml-org-other/llama.cpp:t"],
    ["ghcr.io/other/engine:t", "ghcr.io/other/engine:t"],
    ["quay.io/ascend/vllm:t", "localhost/ascend/vllm:t"],
    ["quay.io:443/ascend/vllm:t", "quay.io:443/ascend/vllm:t"],
    ["registry.internal:5000/team/engine:t", "registry.internal:5000/team/engine:t"],
  ])("of %s is %s", (reference, place) => {
    expect(mirrorImage(reference, mirrors)).toBe(place);
  });

  const part = fc.stringMatching(/^[a-z0-9]{1,6}$/);
  const image = fc
    .tuple(
      fc.constantFrom("", "docker.io/", "ghcr.io/", "localhost:5000/"),
      fc.array(part, { minLength: 1, maxLength: 3 }),
      fc.constantFrom("", ":v1", `@${digest}`, `:v1@${digest}`),
    )
    .map(([registry, path, version]) => `${registry}${path.join("/")}${version}`);

  it("is the image's own without mirrors, and keeps tag and digest with any", () => {
    fc.assert(
      fc.property(image, (reference) => {
        expect(mirrorImage(reference)).toBe(reference);
        const own = parseImageReference(reference);
        const { tag, digest: pinned } = parseImageReference(mirrorImage(reference, mirrors));
        expect({ tag, digest: pinned }).toEqual({ tag: own.tag, digest: own.digest });
      }),
    );
  });

  it("does not depend on the order in which mirrors are written", () => {
    const turned = Object.fromEntries(Object.entries(mirrors).reverse());
    fc.assert(fc.property(image, (reference) => mirrorImage(reference, turned) === mirrorImage(reference, mirrors)));
  });

  it("is another for every image of one registry", () => {
    const inHub = fc.array(part, { minLength: 2, maxLength: 3 }).map((path) => `docker.io/${path.join("/")}:v1`);
    fc.assert(
      fc.property(inHub, inHub, (one, other) => {
        const only = { "docker.io": "registry.example.net/hub" };
        return (one === other) === (mirrorImage(one, only) === mirrorImage(other, only));
      }),
    );
  });
});

describe("mirrors of registries in a stack file", () => {
  const parse = (registries: Record<string, string>) =>
    stackFile.safeParse({ schemaVersion: 1, hosts: { local: { connection: "local" } }, mirrors: { registries } })
      .success;

  it.each([
    { "docker.io": "registry.example.net/hub" },
    { "ghcr.io/ggml-org": "registry.example.net:5000" },
    { localhost: "127.0.0.1:5000/a/b-c/d_e.f" },
  ])("may be %j", (registries) => {
    expect(parse(registries)).toBe(true);
  });

  it.each<[Record<string, string>, string]>([
    [{ "docker.io": "https://registry.example.net" }, "an address"],
    [{ "docker.io": "ann:hunter2@registry.example.net" }, "with a password"],
    [{ "docker.io": "registry.example.net/" }, "with an empty folder"],
    [{ "docker.io": "registry.example.net/../x" }, "with .."],
    [{ "docker.io": "registry" }, "without a host"],
    [{ "docker.io": "registry.example.net/hub:v1" }, "with a tag"],
    [{ "docker.io": "" }, "empty"],
    [{ "registry-1.docker.io": "registry.example.net" }, "for another name of Docker Hub"],
    [{ vllm: "registry.example.net" }, "for no registry"],
  ])("are not %j: %s", (registries) => {
    expect(parse(registries)).toBe(false);
  });
});
