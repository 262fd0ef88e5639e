import { describe, expect, it } from "vitest";

import { parseImageReference } from "../../../src/catalog/image-reference.js";

describe("parseImageReference", () => {
  const digest = `sha256:${"0".repeat(64)}`;

  it.each([
    ["engine", "engine", "engine", undefined, undefined],
    ["engine:1", "engine", "engine", "1", undefined],
    ["library/engine:1", "library/engine", "engine", "1", undefined],
    ["docker.io/library/engine", "docker.io/library/engine", "engine", undefined, undefined],
    ["team/engine:v1.0-cu12", "team/engine", "team/engine", "v1.0-cu12", undefined],
    ["ghcr.io/org/sub/engine:1", "ghcr.io/org/sub/engine", "org/sub/engine", "1", undefined],
    ["localhost/engine", "localhost/engine", "engine", undefined, undefined],
    ["localhost:5000/engine", "localhost:5000/engine", "engine", undefined, undefined],
    ["host:5000/team/engine:1", "host:5000/team/engine", "team/engine", "1", undefined],
    [`team/engine@${digest}`, "team/engine", "team/engine", undefined, digest],
    [`host:5000/team/engine:1@${digest}`, "host:5000/team/engine", "team/engine", "1", digest],
  ])("takes %s apart", (reference, name, repository, tag, expectedDigest) => {
    expect(parseImageReference(reference)).toEqual({ name, repository, tag, digest: expectedDigest });
  });
});
