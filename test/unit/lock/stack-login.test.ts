import { describe, expect, it } from "vitest";

import { createStackLogins } from "../../../src/lock/stack-login.js";
import { rejectionOf } from "../support/thrown.js";

const logins = {
  "docker.io": { username: "ann", password: { secret: "hub" } },
  "registry.example.net:5000": { username: "$oauthtoken", password: { secret: "missing" } },
};
const find = createStackLogins(
  logins,
  (name) => Promise.resolve(name === "hub" ? "hunter2" : undefined),
  (registry) => Promise.resolve({ username: "this machine's", password: registry }),
);

describe("a login that the stack names", () => {
  it("counts before this machine's, and is Docker Hub's by each of its names", async () => {
    for (const name of ["docker.io", "registry-1.docker.io"])
      expect(await find(name)).toEqual({ username: "ann", password: "hunter2" });
  });

  it("whose secret is found nowhere is an error that names the secret", async () => {
    const error = await rejectionOf(find("registry.example.net:5000"));
    expect(error).toMatchObject({ code: "secret-missing", parts: { where: "secret missing" } });
  });

  it("is for one registry and port: others are this machine's", async () => {
    for (const name of ["registry.example.net", "registry.example.net:5001", "constructor"])
      expect(await find(name)).toEqual({ username: "this machine's", password: name });
  });
});
