import { describe, expect, it } from "vitest";

import type { HostReference } from "../../../src/host/host.js";
import { compareFields } from "../../../src/resources/difference.js";
import { hostChange } from "../../../src/resources/host-change.js";

const table = { host: hostChange("replace") };
const at = (host: HostReference) => ({ host });
const ssh = (address: string, sudo?: "none" | "nonInteractive"): HostReference => ({
  ...{ name: "a", connection: "ssh", dataDir: "/data" },
  ssh: { address, ...(sudo === undefined ? {} : { sudo }) },
});
const changeOf = (before: HostReference, after: HostReference) =>
  compareFields(table, at(before), at(after)).map(({ change }) => change);

describe("hostChange", () => {
  it("moves nothing when only the way to the host is another one", () => {
    expect(changeOf(ssh("10.0.0.1"), ssh("10.0.0.2"))).toEqual(["update"]);
  });

  it("is the same place when a host says that it wants no sudo", () => {
    expect(changeOf(ssh("10.0.0.1"), ssh("10.0.0.1", "none"))).toEqual(["update"]);
  });

  it.each<[string, HostReference]>([
    ["name", { ...ssh("10.0.0.1"), name: "b" }],
    ["data directory", { ...ssh("10.0.0.1"), dataDir: "/other" }],
    ["bin directory", { ...ssh("10.0.0.1"), binDir: "/opt/bin" }],
    ["user by sudo", ssh("10.0.0.1", "nonInteractive")],
    ["connection", { name: "a", connection: "local", dataDir: "/data" }],
  ])("is another place with another %s", (_, after) => {
    expect(changeOf(ssh("10.0.0.1"), after)).toEqual(["replace"]);
  });
});
