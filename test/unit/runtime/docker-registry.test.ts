import { describe, expect, it } from "vitest";

import { explainRegistry, findRegistryProblem } from "../../../src/runtime/docker-registry.js";

const find = (message: string) => findRegistryProblem({ kind: "refused", status: 500, message });

describe("what a pull says of a registry", () => {
  it.each([
    ["toomanyrequests: You have reached your pull rate limit", "crowded"],
    ["error pulling image configuration: received unexpected HTTP status: 429 Too Many Requests", "crowded"],
    ['Get "http://127.0.0.1:5000/v2/x/manifests/1": no basic auth credentials', "login"],
    ["unauthorized: authentication required", "login"],
    [
      "pull access denied for x, repository does not exist or may require 'docker login': denied: requested access",
      "login",
    ],
    ["manifest for x@sha256:1 not found: manifest unknown: manifest unknown", "absent"],
    ["error pulling image configuration: unknown blob", "absent"],
    ["received unexpected HTTP status: 503 Service Unavailable", "broken"],
    ["unexpected EOF", "broken"],
    ["filesystem layer verification failed for digest sha256:1", "broken"],
    ["read tcp 10.0.0.1:1->10.0.0.2:443: read: connection reset by peer", "broken"],
    ['Get "https://r.example/v2/": dial tcp: lookup r.example on 10.0.0.2:53: no such host', "unreachable"],
    ['Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', "unreachable"],
    ['Get "https://r.example/v2/": net/http: TLS handshake timeout', "unreachable"],
    ["write /var/lib/docker/tmp/x: no space left on device", undefined],
    // Digests and ports may look like statuses.
    ["failed to register layer sha256:401403429503 of 127.0.0.1:5000", undefined],
  ])("%s", (message, kind) => {
    expect(find(message)).toBe(kind);
  });

  it.each([
    ["registry.example.net:5000/team/engine@sha256:1", "docker login registry.example.net:5000"],
    ["team/engine@sha256:1", "docker login docker.io"],
    ["engine@sha256:1", "docker login docker.io"],
    ["localhost/engine@sha256:1", "docker login localhost"],
  ])("names the registry to log in to: %s", (reference, hint) => {
    const error = explainRegistry("login", { message: "denied", reference, where: "host a", login: false });
    expect(error.parts.hint).toContain(hint);
  });
});
