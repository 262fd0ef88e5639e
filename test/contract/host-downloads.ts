import { join } from "node:path";
import { inspect } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import {
  breakOff,
  endless,
  HostileServer,
  ranges,
  redirect,
  stall,
  status,
  whole,
  wrongRange,
} from "../support/hostile-server.js";
import { freePort } from "../support/sandbox.js";
import type { HostSetting } from "./host.js";

const size = 300_000;
const half = 100_000;
const content = "0123456789".repeat(size / 10);
const file = Buffer.from(content);

export function describeDownloads(settingOf: () => HostSetting): void {
  describe("download", () => {
    let server: HostileServer;
    let path: string;
    let count = 0;

    beforeAll(async () => {
      server = await HostileServer.start();
      await settingOf().host.makeDirectory(join(settingOf().folder, "downloads"));
    });
    afterAll(() => server.close());

    function next(): string {
      count += 1;
      path = join(settingOf().folder, "downloads", String(count), "file");
      return path;
    }
    const text = () => settingOf().host.readText(path);

    it("fetches a file into a folder that is missing, and tells how far it is", async () => {
      const progress: [number, number | undefined][] = [];
      await settingOf().host.download(server.answer(whole(file)), next(), {
        onProgress: (current, total) => progress.push([current, total]),
      });
      expect(await text()).toBe(content);
      expect(progress.at(-1)).toEqual([size, size]);
      expect(progress.map(([current]) => current)).toEqual(progress.map(([current]) => current).sort((a, b) => a - b));
    });

    it("tells the file's SHA-256: of a small one, a large one, and one that was begun earlier", async () => {
      const large = Buffer.alloc(40_000_000, content);
      const told = async (body: Buffer) => settingOf().host.download(server.answer(ranges(body)), path);
      next();
      expect(await told(file)).toBe(sha256(file));
      next();
      expect(await told(large)).toBe(sha256(large));
      await settingOf().host.writeFile(next(), large.subarray(0, 20_000_000));
      expect(await told(large)).toBe(sha256(large));
      expect(await told(large)).toBe(sha256(large));
      expect(server.ranges).toEqual(["bytes=40000000-"]);
      await settingOf().host.remove(path);
    });

    it("tells the SHA-256 of what is there, not of what was there before", async () => {
      const large = Buffer.alloc(20_000_000, content);
      await settingOf().host.writeFile(next(), Buffer.alloc(20_000_000, "other"));
      const found = await settingOf().host.download(server.answer(whole(large)), path);
      expect(found).toBe(await settingOf().host.sha256(path));
      await settingOf().host.writeFile(next(), large.subarray(0, 1000));
      expect(await settingOf().host.download(server.answer(breakOff(large, 12_000_000), whole(large)), path)).toBe(
        sha256(large),
      );
    });

    it("goes on where a transfer broke off", async () => {
      await settingOf().host.download(server.answer(breakOff(file, half), ranges(file)), next());
      expect(await text()).toBe(content);
      expect(server.ranges).toHaveLength(2);
      expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    });

    it("goes on with what an earlier download left", async () => {
      await settingOf().host.writeFile(next(), content.slice(0, half));
      const progress: number[] = [];
      await settingOf().host.download(server.answer(ranges(file)), path, {
        onProgress: (current) => progress.push(current),
      });
      expect(await text()).toBe(content);
      expect(server.ranges).toEqual([`bytes=${half}-`]);
      expect(progress.at(-1)).toBe(size);
    });

    it("begins anew where the server has no ranges", async () => {
      await settingOf().host.writeFile(next(), "something else");
      await settingOf().host.download(server.answer(breakOff(file, half), whole(file)), path);
      expect(await text()).toBe(content);
    });

    it("does not add a range to what is there that begins elsewhere", async () => {
      await settingOf().host.writeFile(next(), content.slice(0, half));
      await settingOf().host.download(server.answer(wrongRange(file), whole(file)), path);
      expect(await text()).toBe(content);
      expect(server.ranges).toEqual([`bytes=${half}-`, undefined]);
    });

    it("is done when the file is complete already", async () => {
      await settingOf().host.writeFile(next(), content);
      await settingOf().host.download(server.answer(ranges(file)), path);
      expect(await text()).toBe(content);
      expect(server.ranges).toEqual([`bytes=${size}-`]);
    });

    it("begins anew when more is there than the server has", async () => {
      await settingOf().host.writeFile(next(), `${content}and more`);
      await settingOf().host.download(server.answer(ranges(file)), path);
      expect(await text()).toBe(content);
    });

    it("asks again where a server is busy", async () => {
      await settingOf().host.download(server.answer(status(503), status(429), whole(file)), next());
      expect(await text()).toBe(content);
      expect(server.ranges).toHaveLength(3);
    });

    it.each([404, 401, 403])("does not ask again after HTTP %d, and keeps nothing of the answer", async (code) => {
      const url = server.answer(status(code, "<html>no</html>"));
      const failure = expect(settingOf().host.download(url, next())).rejects;
      await failure.toMatchObject({ code: "download-failed", parts: { got: `HTTP status ${code}`, where: url } });
      expect(await settingOf().host.status(path)).toBeUndefined();
      expect(server.ranges).toHaveLength(1);
    });

    it("says that nobody answers, after some tries", async () => {
      const url = `http://127.0.0.1:${await freePort()}/file`;
      const failure = expect(settingOf().host.download(url, next())).rejects;
      await failure.toMatchObject({ code: "download-failed", parts: { where: url } });
    });

    it("does not go round in a circle of redirects", async () => {
      const failure = expect(settingOf().host.download(server.answer(redirect(server.url)), next())).rejects;
      await failure.toMatchObject({
        code: "download-failed",
        parts: { where: server.url, what: "the server redirects without end", got: "more than 20 redirects" },
      });
      expect(await settingOf().host.status(path)).toBeUndefined();
    });

    it("does not wait for the end of more than the file can have, and keeps nothing of it", async () => {
      const failure = expect(settingOf().host.download(server.answer(endless()), next(), { maxBytes: size })).rejects;
      await failure.toMatchObject({
        code: "download-failed",
        parts: {
          where: server.url,
          got: expect.stringMatching(/^\d+ bytes and no end$/) as string,
          expected: `at most ${size} bytes`,
        },
      });
      expect(await settingOf().host.status(path)).toBeUndefined();
      expect(server.ranges).toHaveLength(1);
    });

    it("does not wait for it either where the first that comes is too much", async () => {
      const failure = expect(settingOf().host.download(server.answer(endless()), next(), { maxBytes: 600 })).rejects;
      await failure.toMatchObject({ code: "download-failed", parts: { expected: "at most 600 bytes" } });
      expect(await settingOf().host.status(path)).toBeUndefined();
    });

    it("does not begin with more than the file can have", async () => {
      const url = server.answer(whole(file));
      const failure = expect(settingOf().host.download(url, next(), { maxBytes: size - 1 })).rejects;
      await failure.toMatchObject({
        code: "download-failed",
        parts: { where: url, got: `${size} bytes`, expected: `at most ${size - 1} bytes` },
      });
      expect(await settingOf().host.status(path)).toBeUndefined();
    });

    it("takes a file of just the size that it can have, and not what is there when that is more", async () => {
      await settingOf().host.writeFile(next(), `${content}and more`);
      await settingOf().host.download(server.answer(ranges(file)), path, { maxBytes: size });
      expect(await text()).toBe(content);
      expect(server.ranges).toEqual([undefined]);
    });

    describe("with a token", () => {
      const headers = { authorization: "Bearer canary-download-4f1b" };

      it("sends it with each request, also when it goes on where a transfer broke off", async () => {
        await settingOf().host.download(server.answer(breakOff(file, half), ranges(file)), next(), { headers });
        expect(await text()).toBe(content);
        expect(server.authorizations).toEqual([headers.authorization, headers.authorization]);
      });

      it("follows a redirect within the origin with it, and to another origin without it", async () => {
        const other = await HostileServer.start();
        try {
          const there = other.answer(ranges(file));
          await settingOf().host.writeFile(next(), content.slice(0, half));
          const begun = server.answer(redirect(server.url), redirect(there));
          await settingOf().host.download(begun, path, { headers });
          expect(await text()).toBe(content);
          expect(server.authorizations).toEqual([headers.authorization, headers.authorization]);
          expect(other.authorizations).toEqual([undefined]);
          expect(other.ranges).toEqual([`bytes=${half}-`]);
        } finally {
          await other.close();
        }
      });

      it("does not tell it when it is refused", async () => {
        const url = server.answer(status(403, "no"));
        const error: unknown = await settingOf()
          .host.download(url, next(), { headers })
          .catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({ code: "download-failed", parts: { got: "HTTP status 403" } });
        expect(inspect(error, { depth: 10 })).not.toContain("canary");
      });
    });

    it("stops when the signal aborts, throws the reason, and leaves what it has for the next time", async () => {
      const controller = new AbortController();
      const reason = new Error("not wanted any more");
      const url = server.answer(stall(file, half));
      const download = settingOf().host.download(url, next(), {
        signal: controller.signal,
        onProgress: (current) => {
          if (current === half) setTimeout(() => controller.abort(reason), 100);
        },
      });
      await expect(download).rejects.toBe(reason);
      expect(await text()).toBe(content.slice(0, half));
    });
  });
}
