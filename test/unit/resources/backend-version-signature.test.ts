import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { sha256 } from "../../../src/lib/canonical.js";
import { backendVersionInputs, type BackendVersionInputs } from "../../../src/resources/backend-version-inputs.js";
import { backendVersionKind } from "../../../src/resources/backend-version.js";
import { compareFields } from "../../../src/resources/difference.js";
import { FakeEngine } from "../../support/fake-engine.js";
import { Signer } from "../../support/signer.js";
import { contextOf, operationOf } from "../support/contexts.js";
import { serve } from "../support/http-servers.js";
import { facts } from "../support/problems.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const signer = new Signer();
const key = { file: "keys/team.pub", sha256: sha256(signer.pem) };
const digest = `sha256:${"a".repeat(64)}`;
const other = `sha256:${"b".repeat(64)}`;
const file = { os: "linux", arch: "x64", url: "http://127.0.0.1:1/engine", sha256: sha256("engine"), unpackedBytes: 9 };

/** What an operation did for inputs, and how it ended. */
async function converge(changes: Partial<BackendVersionInputs>) {
  const home = await temporaryFolder();
  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: home });
  const engine = new FakeEngine({ registry: { [`team/engine@${digest}`]: undefined } });
  const context = {
    ...contextOf(host),
    reference: { name: "local", connection: "local" as const, dataDir: home },
    facts: () => Promise.resolve({ ...facts, home, os: "linux" as const, arch: "x64" as const }),
    content: {
      backendFile: ({ sha256: wanted }: { sha256: string }) =>
        wanted === key.sha256 ? Promise.resolve(signer.pem) : Promise.reject(new Error("no such file")),
      pythonTool: () => Promise.reject(new Error("no tools here")),
    },
    containerEngine: () => Promise.resolve(engine),
  };
  const inputs = inputsOf(changes);
  const { operation, steps } = operationOf();
  const error = await backendVersionKind.converge(context, operation, inputs).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, steps, pulls: engine.calls.filter((call) => call.startsWith("pull ")) };
}

function inputsOf(changes: Partial<BackendVersionInputs>): BackendVersionInputs {
  return backendVersionInputs.parse({
    name: "local.engine_1.0",
    owner: "shop/dev",
    host: { name: "local", connection: "local", dataDir: "/data" },
    backend: "engine",
    version: "1.0",
    method: "image",
    ...changes,
  });
}

const imageOf = (signature: BackendVersionInputs["signature"]) => ({ reference: "team/engine:1.0", digest, signature });
const fileOf = (value: string, url = file.url) => ({
  method: "binary" as const,
  artifacts: [{ ...file, url, signature: { key, value } }],
});

describe("an image with a signature", () => {
  it.each([
    ["a simple one", signer.signImage(digest)],
    ["a statement", signer.stateImage(digest)],
  ])("is pulled when it is right: %s", async (_, signature) => {
    const { error, pulls } = await converge(imageOf({ key, ...signature }));
    expect([error, pulls.length]).toEqual([undefined, 1]);
  });

  it.each([
    ["of another image", signer.signImage(other)],
    ["of another key", new Signer().signImage(digest)],
    ["whose payload was changed", { ...signer.signImage(other), payload: signer.signImage(digest).payload }],
    ["that is empty", { ...signer.signImage(digest), value: "" }],
  ])("is not pulled with one %s, and nothing is begun", async (_, signature) => {
    const { error, steps, pulls } = await converge(imageOf({ key, ...signature }));
    expect(error).toMatchObject({ code: "signature-invalid" });
    expect([steps, pulls]).toEqual([[], []]);
  });

  it("is not pulled when the key's file is another one now", async () => {
    const { error, steps } = await converge(
      imageOf({ key: { ...key, sha256: "c".repeat(64) }, ...signer.signImage(digest) }),
    );
    expect([String(error), steps]).toEqual(["Error: no such file", []]);
  });
});

describe("a file with a signature", () => {
  it.each([
    ["of other bytes", signer.sign("another engine")],
    ["of another key", new Signer().sign("engine")],
  ])("is not downloaded with one %s", async (_, value) => {
    const { error, steps } = await converge(fileOf(value));
    expect(error).toMatchObject({ code: "signature-invalid" });
    expect(steps).toEqual([]);
  });

  it("is downloaded and put in place when it is right", async () => {
    const url = await serve((_, response) => response.end("engine"));
    const { error, steps } = await converge(fileOf(signer.sign("engine"), url));
    expect(error).toBeUndefined();
    expect(steps).toEqual(["download packages", "install", "verify", "put in place"]);
  });

  it("is not put in place when it is right, and the server gives another file", async () => {
    const url = await serve((_, response) => response.end("trojan"));
    const { error, steps } = await converge(fileOf(signer.sign("engine"), url));
    expect(error).toMatchObject({ code: "checksum-mismatch" });
    expect(steps).toEqual(["download packages"]);
  });
});

describe("another signature of the same image", () => {
  it("is an update, which verifies it", () => {
    const olds = inputsOf(imageOf({ key, ...signer.signImage(digest) }));
    const news = inputsOf(imageOf({ key, ...signer.stateImage(digest) }));
    expect(compareFields(backendVersionKind.differences, olds, news)).toMatchObject([
      { field: "signature", change: "update" },
    ]);
  });
});
