import { inspect } from "node:util";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { sha256 } from "../../../src/lib/canonical.js";
import { openHubRepository } from "../../../src/lock/hub.js";
import { HubServer } from "../../support/hub-server.js";
import { freePort } from "../../support/sandbox.js";
import { ggufFile, safetensorsFile } from "../../support/weights.js";
import { serve } from "../support/http-servers.js";
import { rejectionOf } from "../support/thrown.js";

const repo = "acme/tiny";
const where = "deployment chat";
const weights = safetensorsFile(3000);
const gguf = ggufFile({ "general.architecture": "llama", "llama.context_length": 4096 });
const files = {
  "config.json": '{"architectures":["LlamaForCausalLM"]}',
  "model.safetensors": weights,
  "sub folder/tiny?#.gguf": gguf,
  "README.md": "# Tiny",
};

let hub: HubServer;
beforeEach(async () => {
  hub = await HubServer.start();
  hub.repositories[repo] = { revisions: { main: files }, task: "text-generation" };
});
afterEach(() => hub.close());

const open = (changes: Partial<Parameters<typeof openHubRepository>[0]> = {}, revision = "main") =>
  openHubRepository({ repo, endpoint: hub.endpoint, token: undefined, where, ...changes }, revision);

describe("a repository of the hub", () => {
  it("is at the commit that the revision is now, with what it is for", async () => {
    const { commit, task } = await open();
    expect({ commit, task }).toEqual({ commit: hub.commitOf(repo), task: "text-generation" });
  });

  it("lists every file of every page, large ones by their SHA-256, also where the pages' links lead elsewhere", async () => {
    hub.pageSize = 1;
    const { files: listed } = await open();
    expect(new Map(listed.map((file) => [file.path, file.sha256]))).toEqual(
      new Map([
        ["config.json", undefined],
        ["README.md", undefined],
        ["model.safetensors", sha256(weights)],
        ["sub folder/tiny?#.gguf", sha256(gguf)],
      ]),
    );
    expect(listed.find(({ path }) => path === "model.safetensors")?.sizeBytes).toBe(weights.length);
    expect(hub.requests.filter(({ path }) => path.includes("/tree/")).length).toBeGreaterThanOrEqual(4);
  });

  it("gives small files whole, and the beginning of large ones", async () => {
    const repository = await open();
    expect(Buffer.from(await repository.read("config.json")).toString()).toBe(files["config.json"]);
    expect(Buffer.from(await repository.read("model.safetensors", 9))).toEqual(weights.subarray(0, 9));
    expect(hub.sent.get(sha256(weights))).toBe(9);
  });

  it("reads the metadata of a GGUF file, whatever its name", async () => {
    const metadata = await (await open()).readGguf("sub folder/tiny?#.gguf");
    expect(metadata).toMatchObject({ "general.architecture": "llama", "llama.context_length": 4096 });
  });

  it("asks again where the hub is busy", async () => {
    hub.statuses.push(503);
    expect((await open()).commit).toBe(hub.commitOf(repo));
  });
});

describe("what is not to be had", () => {
  const refusal = async (promise: Promise<unknown>) => {
    const { code, message } = await rejectionOf(promise);
    expect(code).toBe("model-unavailable");
    expect(message).toContain(where);
    return message;
  };

  it("a repository that is not there is told with those of the owner", async () => {
    const message = await refusal(open({ repo: "acme/teeny" }));
    expect(message).toContain("acme/teeny does not exist, or is not shown to those without a token");
    expect(message).toContain("acme has acme/tiny");
    expect(message).toContain("`token: { secret: NAME }`");
  });

  it("a revision that is not there is told with those that are", async () => {
    hub.repositories[repo] = { revisions: { main: files, "v1.0": files } };
    const message = await refusal(open({}, "v2.0"));
    expect(message).toContain("has no such revision");
    expect(message).toContain("it has main, v1.0");
  });

  it.each([
    [undefined, "HTTP status 401, GatedRepo", "give a token of that account"],
    ["hf_other-canary", "HTTP status 403, GatedRepo", "the account of the token has done so"],
  ])("a file of a gated repository says what to do, with the token %s", async (token, got, hint) => {
    hub.repositories[repo] = { revisions: { main: files }, access: { kind: "gated", token: "hf_right" } };
    const repository = await open({ token });
    const message = await refusal(repository.read("config.json"));
    expect(message).toContain(got);
    expect(message).toContain(`accept them at ${hub.endpoint}/acme/tiny`);
    expect(message).toContain(hint);
    expect(message).not.toContain("canary");
  });

  it("a hub that does not answer is named", async () => {
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const message = await refusal(open({ endpoint }));
    expect(message).toContain(`${endpoint}: ECONNREFUSED`);
    expect(message).toContain("name a mirror that this machine reaches");
  });

  it("a server that is no hub is named", async () => {
    const endpoint = await serve((_, response) => response.end("<title>Log in</title>"));
    const message = await refusal(open({ endpoint }));
    expect(message).toContain("what the hub answers cannot be understood");
    expect(message).toContain(endpoint);
  });

  it("a hub whose list is not one is not believed", async () => {
    const sha = "c".repeat(40);
    const endpoint = await serve((request, response) => {
      const isList = request.url?.includes("/tree/") === true;
      response.end(JSON.stringify(isList ? [{ type: "file", path: "a", size: -1 }] : { _id: "1", id: repo, sha }));
    });
    expect(await refusal(open({ endpoint }))).toContain("what the hub answers cannot be understood");
  });

  it("a file that is another than the list says is not taken", async () => {
    const endpoint = await serve((request, response) => {
      const { url = "" } = request;
      if (url.includes("/resolve/")) return void response.end("<title>Log in</title>");
      const list = [{ type: "file", path: "config.json", size: 2, oid: "a".repeat(40) }];
      response.end(JSON.stringify(url.includes("/tree/") ? list : { _id: "1", id: repo, sha: "c".repeat(40) }));
    });
    expect(await refusal((await open({ endpoint })).read("config.json"))).toContain("gives another file than it lists");
  });

  it("a Git LFS pointer is no file", async () => {
    hub.repositories[repo] = { revisions: { main: { "model.bin": "weights" } }, pointers: true };
    expect(await refusal((await open()).read("model.bin"))).toContain("a Git LFS pointer in place of a file");
  });
});

describe("a token", () => {
  const token = "not-hf-prefixed-canary-77";

  it("opens what is private, and goes to the hub alone: not where it redirects to, nor into an error", async () => {
    hub.repositories[repo] = { revisions: { main: files }, access: { kind: "private", token } };
    const repository = await open({ token });
    await repository.read("model.safetensors", 9);
    const authorizations = (server: string) =>
      new Set(hub.requests.filter((request) => request.server === server).map(({ authorization }) => authorization));
    expect(authorizations("hub")).toEqual(new Set([`Bearer ${token}`]));
    expect(authorizations("storage")).toEqual(new Set([undefined]));
    const error = await rejectionOf(open({ token, repo: "acme/none" }));
    expect(inspect(error, { depth: 10 })).not.toContain("canary");
  });
});
