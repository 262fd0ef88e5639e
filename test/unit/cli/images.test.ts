import { describe, expect, it } from "vitest";

import { formatNeeds } from "../../../src/cli/images.js";
import { fileRows, imageRows } from "../../../src/lock/need-rows.js";
import { needsOf } from "../../../src/lock/needs.js";
import { hex, installs, models, needyLock } from "../support/needy-locks.js";

const lock = needyLock({
  chat: { install: installs.image, model: models.hub, hosts: ["one", "two"] },
  plain: { install: installs.binary, model: models.url, hosts: ["one"] },
});
const needs = needsOf(lock);
const lines = (text: string) => text.split("\n").map((line) => line.trim().replace(/\s{2,}/g, "  "));

describe("what a lock needs, as it is printed", () => {
  it("is a table of images with their platforms, and one of files", () => {
    const text = lines(formatNeeds(imageRows(needs), fileRows(needs), "table"));
    expect(text).toEqual([
      "IMAGE  PLATFORM  DIGEST  SIZE  HOSTS",
      `team/engine:1.0  sha256:${"a".repeat(12)}  one two`,
      `linux/amd64  sha256:${"b".repeat(12)}  5.0 GB`,
      `linux/arm64  sha256:${"d".repeat(12)}  -`,
      "",
      "KIND  NAME  SHA256  SIZE  FROM  FOR",
      "archive  engine-x64.tar.gz  666666666666  7 B  https://example.net/r/engine-x64.tar.gz  plain 1.0",
      expect.stringMatching(/^model {2}m.gguf {2}111111111111 {2}- {2}https:\/\/files.example.net\/m.gguf {2}m.gguf$/),
      expect.stringMatching(/^model {2}config.json {2}222222222222 {2}10 B {2}\S+ {2}team\/model$/),
      expect.stringMatching(/^model {2}model.safetensors {2}333333333333 {2}990 B {2}\S+ {2}team\/model$/),
    ]);
  });

  it("is names with digests, of images as docker pull takes them", () => {
    expect(lines(formatNeeds(imageRows(needs), [], "names"))).toEqual([`team/engine:1.0@sha256:${hex("a")}`]);
    expect(lines(formatNeeds([], fileRows(needs), "names"))[0]).toBe(`engine-x64.tar.gz@sha256:${hex("6")}`);
  });

  it("is valid JSON, also when it is nothing", () => {
    expect(JSON.parse(formatNeeds([], [], "json"))).toEqual([]);
    const rows: unknown = JSON.parse(formatNeeds(imageRows(needs), fileRows(needs), "json"));
    expect(rows).toMatchObject([
      { kind: "image", platforms: installs.image.platforms },
      { kind: "archive" },
      {},
      {},
      {},
    ]);
    expect(formatNeeds([], [], "table")).toBe("");
  });
});
