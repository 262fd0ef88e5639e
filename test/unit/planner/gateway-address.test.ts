import { describe, expect, it } from "vitest";

import { addressOf, gatewayEndpoint, reachedAt } from "../../../src/planner/gateway-address.js";

const here = { name: "gw", machine: "gw 22" };
const there = { machine: "gpu 22", address: "10.0.0.7" };

describe("reachedAt", () => {
  it.each([
    ["127.0.0.1", "gw", here, "127.0.0.1"],
    ["0.0.0.0", "gw", here, "127.0.0.1"],
    ["::", "gw", here, "::1"],
    ["10.0.0.5", "gw", here, "10.0.0.5"],
    ["127.0.0.1", "same machine", { ...here, address: undefined }, "127.0.0.1"],
    ["0.0.0.0", "gpu", there, "10.0.0.7"],
    ["10.1.0.7", "gpu", there, "10.1.0.7"],
    ["127.0.0.1", "gpu", there, undefined],
    ["::1", "gpu", there, undefined],
    ["0.0.0.0", "gpu", { ...there, address: undefined }, undefined],
  ])("of a replica at %s on %s", (bindAddress, host, place, expected) => {
    expect(reachedAt({ bindAddress, host }, here, { address: undefined, ...place })).toBe(expected);
  });
});

describe("addressOf", () => {
  it("is the host's own in the hosts' network, else that of ssh", () => {
    expect(addressOf({ privateAddress: "10.0.0.7", ssh: { address: "gpu.example.net" } })).toBe("10.0.0.7");
    expect(addressOf({ ssh: { address: "gpu.example.net" } })).toBe("gpu.example.net");
    expect(addressOf({})).toBeUndefined();
  });
});

describe("gatewayEndpoint", () => {
  const gpu = { privateAddress: "10.0.0.7", ssh: { address: "gpu.example.net" } };
  it.each([
    ["127.0.0.1", gpu, "http://127.0.0.1:8443/v1"],
    ["10.1.0.7", gpu, "http://10.1.0.7:8443/v1"],
    ["::1", gpu, "http://[::1]:8443/v1"],
    ["0.0.0.0", gpu, "http://10.0.0.7:8443/v1"],
    ["::", { ssh: { address: "gpu.example.net" } }, "http://gpu.example.net:8443/v1"],
    ["0.0.0.0", {}, "http://127.0.0.1:8443/v1"],
  ])("of one that listens at %s", (address, host, expected) => {
    expect(gatewayEndpoint({ listen: { address, port: 8443 } }, host)).toBe(expected);
  });

  it("has TLS where there is a certificate", () => {
    const gateway = { listen: { address: "10.0.0.7", port: 443 }, certFile: "/etc/berth/tls.pem" };
    expect(gatewayEndpoint(gateway, {})).toBe("https://10.0.0.7:443/v1");
  });
});
