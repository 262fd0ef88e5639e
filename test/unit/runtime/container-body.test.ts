import { describe, expect, it } from "vitest";

import { containerBody } from "../../../src/runtime/container-body.js";
import { specOf } from "../support/container-specs.js";

describe("containerBody", () => {
  it("publishes the port on the runner's address alone", () => {
    const { HostConfig } = containerBody(specOf({ bindAddress: "127.0.0.1", port: 14_000 }));
    expect(HostConfig.PortBindings).toEqual({ "8000/tcp": [{ HostIp: "127.0.0.1", HostPort: "14000" }] });
  });
});
