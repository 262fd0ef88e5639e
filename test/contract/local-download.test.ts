import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { LocalHost } from "../../src/host/local.js";
import { HostileServer, ranges, whole } from "../support/hostile-server.js";
import { serveFiles } from "../support/file-server.js";
import { temporaryFolder } from "../unit/support/temporary-folder.js";

const content = Buffer.alloc(300_000, "0123456789");
const pace = {
  retries: 1,
  firstWaitSeconds: 0.01,
  idleSeconds: 30,
  slowest: { bytesPerSecond: 1, windowSeconds: 60 },
};
const script = fileURLToPath(new URL("fetch-file.mjs", import.meta.url));
const hasFlock = existsSync("/usr/bin/flock") || process.env.BERTH_TEST_ALL === "1";

function reach(environment: Readonly<Record<string, string>> = {}): LocalHost {
  return new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/", ...environment }, pace);
}

describe("downloads by this machine's own curl", () => {
  it("go by the proxy that the environment names", async () => {
    const files = { "http://files.example/file": content };
    const proxy = await serveFiles(files);
    onTestFinished(() => proxy.close());
    const path = join(await temporaryFolder(), "file");
    await reach({ http_proxy: proxy.url("") }).download("http://files.example/file", path);
    expect((await readFile(path)).equals(content)).toBe(true);
  });

  it("keep what is there when a proxy answers, and the server behind it does not", async () => {
    const proxy = createHttpServer().on("connect", (_request, socket) => {
      socket.end("HTTP/1.1 200 Connection established\r\n\r\n");
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void proxy.close());
    const path = join(await temporaryFolder(), "file");
    await writeFile(path, content.subarray(0, 1000));
    const https_proxy = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const failure = expect(reach({ https_proxy }).download("https://files.example/file", path)).rejects;
    await failure.toMatchObject({ code: "download-failed" });
    expect((await readFile(path)).equals(content.subarray(0, 1000))).toBe(true);
  });

  it.runIf(hasFlock)("go on only when nobody else writes to the file any more", async () => {
    const web = await HostileServer.start();
    onTestFinished(() => web.close());
    const path = join(await temporaryFolder(), "file");
    await writeFile(path, content.subarray(0, 1000));
    const late = join(await temporaryFolder(), "late");
    await writeFile(late, content.subarray(1000, 150_000));
    const other = execa("flock", [path, "sh", "-c", 'echo locked; sleep 0.5; cat "$1" >>"$0"', path, late]);
    await other.iterable()[Symbol.asyncIterator]().next();
    await reach().download(web.answer(ranges(content)), path);
    expect(web.ranges).toEqual(["bytes=150000-"]);
    expect((await readFile(path)).equals(content)).toBe(true);
    await other;
  });

  it("ask for an address as the standard writes it", async () => {
    const server = await serveFiles({ "/a%20%22file%22%5C": content });
    onTestFinished(() => server.close());
    const path = join(await temporaryFolder(), "file");
    await reach().download(server.url('/a "file"%5C'), path);
    expect((await readFile(path)).equals(content)).toBe(true);
  });
});

describe("downloads to this machine from a server whose certificate no public authority signed", () => {
  let folder: string;
  let certificate: string;
  let server: Server;
  let url: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "berth-trust-"));
    certificate = join(folder, "certificate.pem");
    const key = join(folder, "key.pem");
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key];
    execFileSync("openssl", ["req", "-x509", ...made, "-out", certificate, ...subject], { stdio: "ignore" });
    const secrets = { key: await readFile(key), cert: await readFile(certificate) };
    server = createServer(secrets, (_request, response) => whole(content)(response, 0)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });

  it.each(["SSL_CERT_FILE", "CURL_CA_BUNDLE"])("trust it where %s names it", async (name) => {
    const path = join(folder, name);
    await reach({ [name]: certificate }).download(url, path);
    expect((await readFile(path)).equals(content)).toBe(true);
  });

  it("trust it where NODE_EXTRA_CA_CERTS names it, as all that Node does", async () => {
    const path = join(folder, "by node");
    const env = { NODE_EXTRA_CA_CERTS: certificate };
    await execa(process.execPath, [script, JSON.stringify({ url, path })], { env });
    expect((await readFile(path)).equals(content)).toBe(true);
  });

  it("fail where nobody trusts it, and keep nothing", async () => {
    const path = join(folder, "untrusted");
    await expect(reach().download(url, path)).rejects.toMatchObject({
      code: "download-failed",
      parts: { where: url, got: expect.stringMatching(/certificate/) as string },
    });
    expect(existsSync(path)).toBe(false);
  });
});
