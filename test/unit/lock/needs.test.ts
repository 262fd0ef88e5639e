import { describe, expect, it } from "vitest";

import { fileRows, imageRows } from "../../../src/lock/need-rows.js";
import { needsOf, needsOn } from "../../../src/lock/needs.js";
import { hex, installs, models, needyLock } from "../support/needy-locks.js";

const requirements = new Map([
  [
    hex("8"),
    `engine==1.0 \\\n    --hash=sha256:${hex("0")} \\\n    --hash=sha256:${hex("1")}\nother==2 --hash=sha256:${hex("2")}\n`,
  ],
]);

describe("what a lock needs of images", () => {
  it("is each image once, with its platforms, sizes and all its hosts", () => {
    const lock = needyLock({
      chat: { install: installs.image, model: models.onHost, hosts: ["one"] },
      more: { install: installs.image, model: models.onHost, hosts: ["two", "one"] },
    });
    expect(imageRows(needsOf(lock))).toEqual([
      {
        ...{
          kind: "image",
          name: "team/engine:1.0",
          digest: installs.image.digest,
          platforms: installs.image.platforms,
        },
        ...{ from: "team/engine:1.0", of: "chat 1.0", hosts: ["one", "two"] },
      },
    ]);
  });

  it("is pulled from the mirror of its registry, and known by its public name", () => {
    const registries = { "docker.io": "registry.example.net:5000/hub" };
    const lock = needyLock({ chat: { install: installs.image, model: models.onHost, hosts: ["one"] } }, { registries });
    const [image] = needsOf(lock).images;
    expect(image).toMatchObject({
      reference: "team/engine:1.0",
      from: "registry.example.net:5000/hub/team/engine:1.0",
    });
  });

  it("is told for one host by its platform", () => {
    const lock = needyLock({
      chat: { install: installs.image, model: models.onHost, hosts: ["two"] },
      plain: { install: installs.manual, model: models.url, hosts: ["one"] },
    });
    expect(needsOn(needsOf(lock), "one").images).toEqual([]);
    expect(needsOn(needsOf(lock), "two").images[0]?.hosts).toMatchObject([{ name: "two", platform: "linux/arm64" }]);
  });
});

describe("what a lock needs of files", () => {
  it("is of a release the file of each host's platform, from the mirror if there is one", () => {
    const lock = needyLock(
      { chat: { install: installs.binary, model: models.onHost, hosts: ["one", "two"] } },
      { downloadBaseUrl: "https://mirror.example.net/tools/" },
    );
    const rows = fileRows(needsOf(lock)).filter(({ kind }) => kind === "archive");
    const mirror = "https://mirror.example.net/tools/r";
    expect(rows).toMatchObject([
      {
        name: "engine-x64.tar.gz",
        sha256s: [hex("6")],
        sizeBytes: 7,
        from: `${mirror}/engine-x64.tar.gz`,
        hosts: ["one"],
      },
      { name: "engine-arm64.tar.gz", sha256s: [hex("7")], sizeBytes: undefined, hosts: ["two"] },
    ]);
  });

  it("is of packages each pinned version with the hashes of its files, the list itself and the launcher", () => {
    const lock = needyLock({ chat: { install: installs.pipx, model: models.onHost, hosts: ["one"] } });
    const rows = fileRows(needsOf(lock, { backends: requirements, tools: new Map() }));
    expect(rows.map(({ kind, name, sha256s }) => [kind, name, sha256s])).toEqual([
      ["requirements", "requirements/engine.txt", [hex("8")]],
      ["launcher", "launchers/engine.py", [hex("9")]],
      ["wheel", "engine==1.0", [hex("0"), hex("1")]],
      ["wheel", "other==2", [hex("2")]],
      ["model", "m.gguf", [hex("5")]],
    ]);
    expect(fileRows(needsOf(lock)).some(({ kind }) => kind === "wheel")).toBe(false);
  });

  it("is of a repository each file, from the mirror of the hub", () => {
    const lock = needyLock(
      { chat: { install: installs.manual, model: models.hub, hosts: ["one"] } },
      { hubEndpoint: "https://hub.example.net" },
    );
    const rows = fileRows(needsOf(lock)).filter(({ kind }) => kind === "model");
    const at = `https://hub.example.net/team/model/resolve/${"c".repeat(40)}`;
    expect(rows).toMatchObject([
      { name: "config.json", sizeBytes: 10, from: `${at}/config.json`, of: "team/model" },
      { name: "model.safetensors", sizeBytes: 990, from: `${at}/model.safetensors` },
    ]);
  });

  it("shows no query of an address, and tells what somebody has to put on the host", () => {
    const lock = needyLock({
      chat: { install: installs.manual, model: models.url, hosts: ["one"] },
      own: { install: installs.image, model: models.onHost, hosts: ["two"] },
    });
    const rows = fileRows(needsOf(lock));
    expect(rows).toMatchObject([
      { kind: "model", from: "https://files.example.net/m.gguf" },
      { kind: "model", from: "on the host, put there by hand: /srv/m.gguf" },
      { kind: "executable", name: "chat 1.0", sha256s: [hex("f")], from: "on the host, put there by hand" },
    ]);
    expect(JSON.stringify(rows)).not.toContain("x=1");
  });
});
