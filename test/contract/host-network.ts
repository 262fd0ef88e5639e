import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { afterEach, describe, expect, it } from "vitest";

import type { HttpRequest } from "../../src/host/host.js";
import { freePort } from "../support/sandbox.js";
import type { HostSetting } from "./host.js";

/** Ports and requests. */
export function describeNetwork(settingOf: () => HostSetting): void {
  const servers: { close(): unknown }[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function listen(server: Server, address = "127.0.0.1"): Promise<number> {
    server.listen(0, address);
    await once(server, "listening");
    servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  async function serve(answer: RequestListener, address?: string): Promise<number> {
    const server = createHttpServer(answer);
    const port = await listen(server, address);
    servers.push({ close: () => server.closeAllConnections() });
    return port;
  }

  const ask = (port: number, more: Partial<HttpRequest> = {}) =>
    settingOf().host.request({ address: "127.0.0.1", port, method: "GET", path: "/", timeoutSeconds: 10, ...more });

  describe("listeningPorts", () => {
    it.each(["127.0.0.1", "0.0.0.0", "::1", "::"])(
      "has a port that something listens on at %s, until it is closed",
      async (address) => {
        const { host } = settingOf();
        const server = createServer();
        const port = await listen(server, address);
        expect((await host.listeningPorts()).has(port)).toBe(true);
        server.close();
        await once(server, "close");
        expect((await host.listeningPorts()).has(port)).toBe(false);
      },
    );
  });

  describe("openSocket", () => {
    async function echoAt(path: string): Promise<void> {
      const server = createServer((socket) => socket.pipe(socket));
      server.listen(path);
      await once(server, "listening");
      servers.push(server);
    }

    it("connects to a socket of the host, as often as asked", async () => {
      const { host, folder } = settingOf();
      const path = join(folder, "echo.sock");
      await echoAt(path);
      for (const word of ["one", "two ž"]) {
        const socket = await host.openSocket(path);
        socket.end(word);
        expect(await text(socket)).toBe(word);
      }
    });

    it("throws the system's error when there is no socket", async () => {
      const { host, folder } = settingOf();
      await expect(host.openSocket(join(folder, "none.sock"))).rejects.toMatchObject({ code: "ENOENT" });
    });
  });

  describe("request", () => {
    it("sends method, path, headers and body as they are, and gives status and body", async () => {
      const port = await serve((request, response) => {
        const chunks: Buffer[] = [];
        request.on("data", (chunk: Buffer) => chunks.push(chunk));
        request.on("end", () => {
          const { method, url, headers } = request;
          const seen = { method, url, key: headers.authorization, type: headers["content-type"] };
          response.writeHead(418).end(JSON.stringify({ ...seen, body: Buffer.concat(chunks).toString() }));
        });
      });
      const body = JSON.stringify({ text: "žluť 🐎\n" });
      const answer = await ask(port, {
        method: "POST",
        path: "/a/b?c=d",
        headers: { authorization: "Bearer x" },
        body,
      });
      expect(answer).toMatchObject({ kind: "answered", status: 418 });
      expect(JSON.parse(answer.kind === "answered" ? answer.body : "")).toEqual({
        method: "POST",
        url: "/a/b?c=d",
        key: "Bearer x",
        type: "application/json",
        body,
      });
    });

    it("reaches an address of version 6", async () => {
      const port = await serve((_request, response) => response.end("six"), "::1");
      expect(await ask(port, { address: "::1" })).toEqual({ kind: "answered", status: 200, body: "six" });
    });

    it("hands on each piece of the body as it comes, before the answer ends", async () => {
      let finish = (): unknown => undefined;
      const port = await serve((_request, response) => {
        response.write("first");
        finish = () => response.end("last");
      });
      const pieces: string[] = [];
      const onPiece = (bytes: Uint8Array) => {
        pieces.push(Buffer.from(bytes).toString());
        if (pieces.length === 1) finish();
      };
      expect(await ask(port, { onPiece })).toEqual({ kind: "answered", status: 200, body: "firstlast" });
      expect(pieces).toEqual(["first", "last"]);
    });

    it("does not follow where an answer leads", async () => {
      const port = await serve((_request, response) =>
        response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
      );
      expect(await ask(port)).toMatchObject({ kind: "answered", status: 302 });
    });

    it("cuts a body that does not end", async () => {
      const port = await serve((_request, response) => {
        const more = () => {
          while (response.write("x".repeat(100_000)));
          response.once("drain", more);
        };
        more();
      });
      const answer = await ask(port);
      const { length } = answer.kind === "answered" ? answer.body : "";
      expect(length).toBeGreaterThanOrEqual(1_000_000);
      expect(length).toBeLessThan(2_000_000);
    });

    it("hands on a long answer to its end, and keeps the beginning of it", async () => {
      const port = await serve((_request, response) => response.end("x".repeat(3_000_000)));
      let taken = 0;
      const answer = await ask(port, { onPiece: ({ byteLength }) => (taken += byteLength) });
      expect(taken).toBe(3_000_000);
      const { length } = answer.kind === "answered" ? answer.body : "";
      expect(length).toBeGreaterThanOrEqual(1_000_000);
      expect(length).toBeLessThan(2_000_000);
    });

    it("says that nobody listens", async () => {
      expect(await ask(await freePort())).toEqual({ kind: "refused", reason: "ECONNREFUSED" });
    });

    it.each<[string, (server: Server) => void]>([
      ["closes at once", (server) => server.on("connection", (socket) => socket.destroy())],
      ["does not speak HTTP", (server) => server.on("connection", (socket) => socket.end("SSH-2.0-x\r\n"))],
    ])("takes a peer for refusing that %s", async (_what, behave) => {
      const server = createServer();
      behave(server);
      const answer = await ask(await listen(server));
      expect(answer).toEqual({ kind: "refused", reason: expect.stringMatching(/./) as string });
    });

    it.each<[string, RequestListener]>([
      ["does not answer", () => undefined],
      ["stops in the middle of its answer", (_request, response) => response.writeHead(200).write("begin")],
    ])("waits no longer than it may for a peer that %s", async (_what, answer) => {
      const port = await serve(answer);
      expect(await ask(port, { timeoutSeconds: 0.5 })).toEqual({ kind: "timedOut" });
    });

    it("throws the reason when the signal aborts", async () => {
      const controller = new AbortController();
      const reason = new Error("not wanted any more");
      const port = await serve(() => controller.abort(reason));
      await expect(ask(port, { signal: controller.signal })).rejects.toBe(reason);
    });
  });
}
