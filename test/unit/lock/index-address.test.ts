import { describe, expect, it } from "vitest";

import { readIndexAddress } from "../../../src/lock/index-address.js";
import { thrownBy } from "../support/thrown.js";

const basic = (credentials: string) => ({ authorization: `Basic ${Buffer.from(credentials).toString("base64")}` });

describe("readIndexAddress", () => {
  it.each([undefined, ""])("is the public index when none is named: %j", (configured) => {
    expect(readIndexAddress(configured)).toEqual({ address: "https://pypi.org/simple", headers: {} });
  });

  it.each([
    ["https://pip.example/simple", "https://pip.example/simple"],
    ["https://pip.example/simple//", "https://pip.example/simple"],
    ["http://pip.example:8080", "http://pip.example:8080"],
  ])("leaves %s without credentials", (configured, address) => {
    expect(readIndexAddress(configured)).toEqual({ address, headers: {} });
  });

  it.each([
    ["https://ann:hunter2@pip.example/simple/", "ann:hunter2"],
    ["https://ann:a%40b%3Ac@pip.example/simple", "ann:a@b:c"],
    ["https://ann:100%@pip.example/simple", "ann:100%"],
    ["https://token@pip.example/simple", "token:"],
    ["https://:hunter2@pip.example/simple", ":hunter2"],
    ["https://ann:%C5%BE@pip.example/simple", "ann:ž"],
  ])("takes user and password out of %s", (configured, credentials) => {
    expect(readIndexAddress(configured)).toEqual({
      address: "https://pip.example/simple",
      headers: basic(credentials),
    });
  });

  it.each(["https://ann:hunter/2@pip.example/simple", "ftp://ann:hunter/2@pip.example", "hunter/2"])(
    "refuses %j, and does not show it",
    (configured) => {
      const error = thrownBy(() => readIndexAddress(configured));
      expect(error.code).toBe("index-unreachable");
      expect(error.message).toContain("PIP_INDEX_URL: the package index is not an address that Berth can ask");
      expect(error.message).not.toContain("hunter");
    },
  );
});
