import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { freePort } from "../support/sandbox.js";
import { serveFiles, type FileServer } from "../support/file-server.js";
import type { HostSetting } from "./host.js";

const size = 300_000;
const half = 100_000;
const content = "0123456789".repeat(size / 10);

/** Servers that misbehave, each at a path of its own; what they were asked for stands in `ranges`. */
class Misbehaviour {
  readonly ranges: (string | undefined)[] = [];
  #server: FileServer | undefined;

  /** The address of a server that answers each request with the next of the given answers, and then with the last. */
  async serve(...answers: ((response: ServerResponse, from: number) => void)[]): Promise<string> {
    await this.close();
    this.ranges.length = 0;
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      const next = answers[Math.min(this.ranges.length, answers.length - 1)];
      this.ranges.push(request.headers.range);
      next?.(response, Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0));
    };
    this.#server = await serveFiles({ "/file": answer });
    return this.#server.url("/file");
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }
}

const whole = (response: ServerResponse) => response.writeHead(200, { "content-length": size }).end(content);
const status =
  (code: number, body = "") =>
  (response: ServerResponse) =>
    response.writeHead(code).end(body);

function rest(response: ServerResponse, from: number): void {
  if (from >= size) response.writeHead(416, { "content-range": `bytes */${size}` }).end();
  else if (from === 0) whole(response);
  else response.writeHead(206, { "content-range": `bytes ${from}-${size - 1}/${size}` }).end(content.slice(from));
}

/** Sends the beginning and closes the connection. */
function breakOff(response: ServerResponse): void {
  response.writeHead(200, { "content-length": size });
  response.write(content.slice(0, half), () => setTimeout(() => response.destroy(), 100));
}

export function describeDownloads(settingOf: () => HostSetting): void {
  describe("download", () => {
    const server = new Misbehaviour();
    let path: string;
    let count = 0;

    beforeAll(async () => {
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
      await settingOf().host.download(await server.serve(whole), next(), {
        onProgress: (current, total) => progress.push([current, total]),
      });
      expect(await text()).toBe(content);
      expect(progress.at(-1)).toEqual([size, size]);
      expect(progress.map(([current]) => current)).toEqual(progress.map(([current]) => current).sort((a, b) => a - b));
    });

    it("goes on where a transfer broke off", async () => {
      await settingOf().host.download(await server.serve(breakOff, rest), next());
      expect(await text()).toBe(content);
      expect(server.ranges).toHaveLength(2);
      expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    });

    it("goes on with what an earlier download left", async () => {
      await settingOf().host.writeFile(next(), content.slice(0, half));
      const progress: number[] = [];
      await settingOf().host.download(await server.serve(rest), path, {
        onProgress: (current) => progress.push(current),
      });
      expect(await text()).toBe(content);
      expect(server.ranges).toEqual([`bytes=${half}-`]);
      expect(progress.at(-1)).toBe(size);
    });

    it("begins anew where the server has no ranges", async () => {
      await settingOf().host.writeFile(next(), "something else");
      await settingOf().host.download(await server.serve(breakOff, whole), path);
      expect(await text()).toBe(content);
    });

    it("is done when the file is complete already", async () => {
      await settingOf().host.writeFile(next(), content);
      await settingOf().host.download(await server.serve(rest), path);
      expect(await text()).toBe(content);
      expect(server.ranges).toEqual([`bytes=${size}-`]);
    });

    it("begins anew when more is there than the server has", async () => {
      await settingOf().host.writeFile(next(), `${content}and more`);
      await settingOf().host.download(await server.serve(rest), path);
      expect(await text()).toBe(content);
    });

    it("asks again where a server is busy", async () => {
      await settingOf().host.download(await server.serve(status(503), status(429), whole), next());
      expect(await text()).toBe(content);
      expect(server.ranges).toHaveLength(3);
    });

    it.each([404, 401, 403])("does not ask again after HTTP %d, and keeps nothing of the answer", async (code) => {
      const url = await server.serve(status(code, "<html>no</html>"));
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

    it("stops when the signal aborts, throws the reason, and leaves what it has for the next time", async () => {
      const controller = new AbortController();
      const reason = new Error("not wanted any more");
      const url = await server.serve((response) => {
        response.writeHead(200, { "content-length": size }).write(content.slice(0, half));
      });
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
