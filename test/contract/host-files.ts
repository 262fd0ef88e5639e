import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { expect, it } from "vitest";

import { digestFiles } from "../../src/host/file-digests.js";
import { sendFile } from "../../src/host/send.js";
import { sha256 } from "../../src/lib/canonical.js";
import type { HostSetting } from "./host.js";

/** Files, folders and links. */
export function describeFiles(settingOf: () => HostSetting): void {
  const at = (...names: string[]) => join(settingOf().folder, ...names);

  it("takes what is absent for absent, below a folder or below a file", async () => {
    const { host } = settingOf();
    await host.writeFile(at("file"), "");
    for (const path of [at("absent"), at("absent", "too"), at("file", "below")]) {
      expect(await host.readText(path)).toBeUndefined();
      expect(await host.status(path)).toBeUndefined();
      expect(await host.readLink(path)).toBeUndefined();
      expect(await host.list(path)).toEqual([]);
      expect(await host.walk(path)).toEqual(new Map());
    }
    await host.remove(at("absent"));
    await host.removeIfEmpty(at("absent"));
    await expect(host.sha256(at("absent"))).rejects.toMatchObject({ code: "ENOENT" });
    await expect(host.rename(at("absent"), at("other"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("throws other errors of the system with their code", async () => {
    const { host, folder } = settingOf();
    await expect(host.readText(folder)).rejects.toMatchObject({ code: "EISDIR" });
    await expect(host.sha256(folder)).rejects.toMatchObject({ code: "EISDIR" });
    await expect(host.writeFile(at("x".repeat(300)), "")).rejects.toMatchObject({ code: "ENAMETOOLONG" });
  });

  it("writes text and bytes with the mode that is asked for, and makes missing folders", async () => {
    const { host } = settingOf();
    const path = at("new", "folders", "file");
    await host.writeFile(path, "žluť");
    expect(await host.readText(path)).toBe("žluť");
    expect(await host.status(path)).toMatchObject({ kind: "file", size: 6, mode: 0o644 });
    await host.writeFile(path, Uint8Array.from([0, 255, 10]), 0o777);
    expect(await host.status(path)).toMatchObject({ size: 3, mode: 0o777 });
    expect(await host.sha256(path)).toBe(
      createHash("sha256")
        .update(Uint8Array.from([0, 255, 10]))
        .digest("hex"),
    );
    await host.writeFile(path, "", 0o600);
    expect(await host.status(path)).toMatchObject({ size: 0, mode: 0o600 });
    expect(await host.list(at("new", "folders"))).toEqual(["file"]);
  });

  it("tells the SHA-256 of many files, whatever their names, and which of them cannot be read", async () => {
    const { host } = settingOf();
    const names = ["plain", "with blank", "-n", "line\nbreak", "back\\slash", "žluť", "'quote\""];
    const paths = [...names, ...Array.from({ length: 600 }, (_, number) => `more-${number}`)].map((name) =>
      at("many", name),
    );
    const few = paths.slice(0, names.length);
    for (const path of few) await host.writeFile(path, path);
    for (const path of paths.slice(names.length)) writeFileSync(path, path);
    const expected = new Map(paths.map((path) => [path, sha256(path)]));
    expect(await digestFiles(host, paths)).toEqual(expected);
    expect(await digestFiles(host, [])).toEqual(new Map());
    await expect(digestFiles(host, [...few, at("many", "absent")])).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("replaces a file in one step: a reader never sees a part", async () => {
    const { host } = settingOf();
    const path = at("replaced");
    const contents = ["a", "b"].map((letter) => letter.repeat(2_000_000));
    await host.writeFile(path, contents[0] ?? "");
    const writing = (async () => {
      for (let time = 1; time <= 20; time += 1) await host.writeFile(path, contents[time % 2] ?? "");
      return "written" as const;
    })();
    let reads = 0;
    for (let ended = false; !ended; reads += 1) {
      expect(contents.includes((await host.readText(path)) ?? ""), "a whole content").toBe(true);
      ended = (await Promise.race([writing, delay(0)])) === "written";
    }
    expect(reads).toBeGreaterThan(2);
  });

  it("leaves nothing of a write that failed", async () => {
    const { host } = settingOf();
    await host.makeDirectory(at("target", "is a folder"));
    await expect(host.writeFile(at("target", "is a folder"), "text")).rejects.toMatchObject({ code: "EISDIR" });
    expect(await host.list(at("target"))).toEqual(["is a folder"]);
  });

  it("creates a file for one of many who try at once, with that one's content", async () => {
    const { host } = settingOf();
    const path = at("race", "lock");
    const tries = Array.from({ length: 50 }, (_, index) => host.createFile(path, `content ${index}`));
    const results = await Promise.all(tries);
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(await host.readText(path)).toBe(`content ${results.indexOf(true)}`);
    expect(await host.list(at("race"))).toEqual(["lock"]);
  });

  it("makes a folder that only its owner can read, and lets one be that is there", async () => {
    const { host } = settingOf();
    await host.makeDirectory(at("private", "inner"), 0o700);
    expect(await host.status(at("private", "inner"))).toMatchObject({ kind: "directory", mode: 0o700 });
    await host.makeDirectory(at("private", "inner"));
    expect(await host.status(at("private", "inner"))).toMatchObject({ mode: 0o700 });
  });

  it("removes a folder with everything below it, and not what a link in it leads to", async () => {
    const { host } = settingOf();
    await host.writeFile(at("kept", "file"), "kept");
    await host.writeFile(at("removed", "deep", "file"), "");
    await host.link(at("kept"), at("removed", "link"));
    await host.remove(at("removed"));
    expect(await host.status(at("removed"))).toBeUndefined();
    expect(await host.readText(at("kept", "file"))).toBe("kept");
  });

  it("removes a folder if it is empty, and lets it be when it is not", async () => {
    const { host } = settingOf();
    await host.writeFile(at("full", "file"), "");
    await host.removeIfEmpty(at("full"));
    expect(await host.list(at("full"))).toEqual(["file"]);
    await host.remove(at("full", "file"));
    await host.removeIfEmpty(at("full"));
    expect(await host.status(at("full"))).toBeUndefined();
  });

  it("renames over an old file and into a folder that is missing", async () => {
    const { host } = settingOf();
    await host.writeFile(at("one"), "one");
    await host.writeFile(at("moved", "file"), "old");
    await host.rename(at("one"), at("moved", "file"));
    expect(await host.readText(at("moved", "file"))).toBe("one");
    await host.rename(at("moved", "file"), at("moved", "further", "file"));
    expect(await host.readText(at("moved", "further", "file"))).toBe("one");
    expect(await host.list(at("moved"))).toEqual(["further"]);
  });

  it("puts links in place, over old ones too, and tells where they lead", async () => {
    const { host } = settingOf();
    await host.link(at("first"), at("links", "link"));
    await host.link(at("second"), at("links", "link"));
    expect(await host.readLink(at("links", "link"))).toBe(at("second"));
    expect(await host.status(at("links", "link"))).toMatchObject({ kind: "link" });
    await host.link("../relative", at("links", "link"));
    expect(await host.readLink(at("links", "link"))).toBe(at("relative"));
    await host.writeFile(at("links", "file"), "");
    expect(await host.readLink(at("links", "file"))).toBeUndefined();
    expect(await host.list(at("links"))).toEqual(["file", "link"]);
  });

  it("moves changedAt with every change of content or attributes, and nothing sets it back", async () => {
    const { host } = settingOf();
    const path = at("changing");
    const seen: bigint[] = [];
    for (const change of [
      () => host.writeFile(path, "same"),
      () => host.writeFile(path, "same"),
      () => host.run(["sh", "-c", 'printf same > "$0"', path]),
      () => host.run(["chmod", "600", path]),
      () => host.run(["touch", "-d", "2001-01-01", path]),
      () => host.run(["cp", "--preserve=timestamps", "/etc/hostname", path]),
    ]) {
      await change();
      seen.push(BigInt((await host.status(path))?.changedAt ?? 0));
      // The system's clock for files moves in steps of some milliseconds.
      await delay(20);
    }
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => (a < b ? -1 : 1)));
    expect(seen).toHaveLength(6);
    expect(Number((seen[0] ?? 0n) / 1_000_000n)).toBeGreaterThan(Date.parse("2020-01-01"));
  });

  it("lists names sorted, hidden ones too, and walks over files and links below, not over folders", async () => {
    const { host } = settingOf();
    const names = ["b", "a b", ".hidden", "žluť 🐎", "two\nlines", "-n", "$HOME"];
    for (const name of names) await host.writeFile(at("walked", "deep er", name), name);
    await host.writeFile(at("walked", "top"), "1234");
    await host.makeDirectory(at("walked", "empty"));
    await host.link(at("walked", "deep er"), at("walked", "link"));
    expect(await host.list(at("walked", "deep er"))).toEqual([...names].sort());
    const found = await host.walk(at("walked"));
    expect([...found.keys()].sort()).toEqual([...names.map((name) => `deep er/${name}`), "link", "top"].sort());
    expect(found.get("top")).toEqual(await host.status(at("walked", "top")));
    expect(found.get("link")?.kind).toBe("link");
  });

  it("hashes a big file, and stops when the signal aborts", async () => {
    const { host } = settingOf();
    const path = at("big");
    await host.run(["dd", "if=/dev/urandom", `of=${path}`, "bs=1M", "count=64"]);
    const { stdout } = await host.run(["sha256sum", path]);
    expect(await host.sha256(path)).toBe(/[0-9a-f]{64}/.exec(stdout)?.[0]);
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(host.sha256(path, controller.signal)).rejects.toThrow();
    await host.remove(path);
  });

  it("takes a file that this machine sends, into a folder that is missing, and goes on with what is there", async () => {
    const { host } = settingOf();
    const source = at("source");
    const content = Buffer.alloc(700_000, "0123456789abc");
    writeFileSync(source, content);
    const path = at("it's a", "part");
    const part = host.part(path);
    expect(await part.size()).toBe(0);
    const send = () => sendFile(source, part, { sizeBytes: content.length, where: "host" });
    await send();
    expect(await host.sha256(path)).toBe(sha256(content));
    await part.cut(400_000);
    expect(await part.size()).toBe(400_000);
    await send();
    expect(await host.sha256(path)).toBe(sha256(content));
    await part.cut(0);
    expect(await host.status(path)).toBeUndefined();
  });

  it("tells the free bytes of a folder that does not exist yet", async () => {
    const { host, folder } = settingOf();
    const { stdout } = await host.run(["df", "-Pk", folder]);
    const available = Number(/\s(\d+)\s+\d+%\s+\//.exec(stdout)?.[1]) * 1024;
    const free = await host.freeBytes(at("not", "there", "yet"));
    expect(Math.abs(free - available)).toBeLessThan(1_000_000_000);
    expect(free).toBeGreaterThan(0);
  });
}
