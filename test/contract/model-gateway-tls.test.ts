/** TLS at a gateway that routes by model: real HAProxy, certificates made by openssl. */
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, type ClientHttp2Session } from "node:http2";
import { Agent, request } from "node:https";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { TLSSocket } from "node:tls";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { haproxy } from "../support/model-gateway.js";
import { ModelGatewayStage } from "../support/model-gateway-stage.js";
import { sendRaw } from "../support/raw-http.js";

const runAll = process.env.BERTH_TEST_ALL === "1";
const body = '{"model":"chat"}';

describe.runIf(runAll || existsSync(haproxy))("TLS at the gateway that routes by model", () => {
  let folder: string;
  let certFile: string;
  let stage: ModelGatewayStage;
  const streams: ServerResponse[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "berth-tls-"));
    certFile = join(folder, "gateway.pem");
    await certify(folder, "one");
    await certify(folder, "two");
    await copyFile(join(folder, "one.pem"), certFile);
    stage = await ModelGatewayStage.start({
      engines: ["chat"],
      settings: { certFile },
      answer: (asked, response) => {
        if (asked.url?.endsWith("?stream") !== true) return response.end("{}");
        response.write("begun");
        streams.push(response);
      },
    });
  });
  afterAll(async () => {
    await stage.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  const authority = async () => Promise.all(["one", "two"].map((name) => readFile(join(folder, `${name}.crt`))));

  /** The status, and the name in the certificate, over a new connection of HTTP/1.1. */
  async function askOne(): Promise<[number | undefined, unknown]> {
    const agent = new Agent({ ca: await authority(), ALPNProtocols: ["http/1.1"] });
    return new Promise((resolve, reject) => {
      const options = { agent, host: "127.0.0.1", port: stage.port, path: "/v1/completions", method: "POST" };
      const asked = request(options, (response) => {
        const CN = response.socket instanceof TLSSocket ? response.socket.getPeerCertificate().subject.CN : undefined;
        response.resume().once("end", () => {
          agent.destroy();
          resolve([response.statusCode, CN]);
        });
      });
      asked.once("error", reject).end(body);
    });
  }

  const openTwo = async () => connect(`https://127.0.0.1:${stage.port}`, { ca: await authority() });

  function askTwo(session: ClientHttp2Session, path: string): { status: Promise<unknown>; text: Promise<string> } {
    const stream = session.request({ ":method": "POST", ":path": path });
    const status = new Promise((resolve) => {
      stream.once("response", (headers) => {
        resolve(headers[":status"]);
      });
    });
    const text = new Promise<string>((resolve, reject) => {
      let read = "";
      stream.on("data", (data: Buffer) => (read += data.toString()));
      stream.once("error", reject).once("end", () => {
        resolve(read);
      });
    });
    stream.end(body);
    return { status, text };
  }

  it("answers by HTTP/1.1 and by HTTP/2, and nobody who speaks neither", async () => {
    expect(await askOne()).toEqual([200, "one.test"]);
    const session = await openTwo();
    const { status, text } = askTwo(session, "/v1/completions");
    expect([await status, await text, session.alpnProtocol]).toEqual([200, "{}", "h2"]);
    session.destroy();
    const plain = await fetch(`http://127.0.0.1:${stage.port}/v1/models`).catch(() => undefined);
    expect(plain?.status).not.toBe(200);
    const old = ["-connect", `127.0.0.1:${stage.port}`, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"];
    expect((await execa("openssl", ["s_client", ...old], { input: "", reject: false })).exitCode).not.toBe(0);
  });

  it("takes a renewed certificate for drift, and serves it when it is told so, without an end of any stream", async () => {
    expect(await stage.gateway.isInStep()).toBe(true);
    const session = await openTwo();
    const { status, text } = askTwo(session, "/v1/completions?stream");
    expect(await status).toBe(200);
    await copyFile(join(folder, "two.pem"), certFile);
    expect(await stage.gateway.isInStep()).toBe(false);
    expect(await stage.gateway.isAsWritten()).toBe(false);
    expect(await askOne()).toEqual([200, "one.test"]);
    await stage.gateway.apply(stage.settings, haproxy);
    expect(await stage.gateway.isInStep()).toBe(true);
    expect(await stage.gateway.isAsWritten()).toBe(true);
    expect(await askOne()).toEqual([200, "two.test"]);
    for (const response of streams.splice(0)) response.end(" and ended");
    expect(await text).toBe("begun and ended");
    session.destroy();
  });

  it("goes on with the certificate before when the new one is none, or is not there", async () => {
    await writeFile(certFile, "no certificate");
    await expect(stage.gateway.apply(stage.settings, haproxy)).rejects.toThrow("HAProxy refuses");
    await rm(certFile);
    await expect(stage.gateway.apply(stage.settings, haproxy)).rejects.toMatchObject({ code: "file-not-found" });
    const settings = { ...stage.settings, certFile: folder };
    await expect(stage.gateway.apply(settings, haproxy)).rejects.toThrow("is no file\n  got: a folder");
    expect(await askOne()).toEqual([200, "two.test"]);
    await copyFile(join(folder, "two.pem"), certFile);
    expect(await stage.gateway.isInStep()).toBe(true);
  });
});

describe.runIf(runAll || existsSync(haproxy))("a slow client of a gateway with TLS", () => {
  let folder: string;
  let stage: ModelGatewayStage;
  const silentMilliseconds = 2500;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "berth-tls-"));
    await certify(folder, "one");
    stage = await ModelGatewayStage.start({
      engines: ["chat"],
      settings: { certFile: join(folder, "one.pem") },
      // The time is that of the product but for its length.
      edit: { "haproxy.cfg": (text) => text.replace("timeout client 60s", "timeout client 1s") },
      answer: (_, response) => {
        void (async () => {
          await delay(silentMilliseconds);
          response.write("begun");
          await delay(silentMilliseconds);
          response.end(" and ended");
        })();
      },
    });
  });
  afterAll(async () => {
    await stage.dispose();
    await rm(folder, { recursive: true, force: true });
  });

  it.each([
    ["nothing", ""],
    ["half a greeting", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"],
  ])("who says %s has the connection for a time alone", async (_, text) => {
    expect(await sendRaw(stage.port, text, { end: "never" })).toEqual([]);
  });

  it.each([
    ["by HTTP/1.1", ["--http1.1"], 0],
    ["by HTTP/2", ["--http2"], 0],
    ["by HTTP/2 with a large request", ["--http2"], 400_000],
  ])("who waits for a silent engine %s waits as long as it takes", async (_, options, bytes) => {
    const input = JSON.stringify({ model: "chat", prompt: "x".repeat(bytes) });
    const url = `https://127.0.0.1:${stage.port}/v1/completions`;
    const { stdout } = await execa("curl", ["-ksS", ...options, "--data-binary", "@-", url], { input });
    expect(stdout).toBe("begun and ended");
  });
});

/** A certificate and its key in one file, as HAProxy reads them. */
async function certify(folder: string, name: string): Promise<void> {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
  const subject = ["-subj", `/CN=${name}.test`, "-addext", "subjectAltName=IP:127.0.0.1"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  await execa("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", key, "-out", cert]);
  await writeFile(join(folder, `${name}.pem`), `${await readFile(cert, "utf8")}${await readFile(key, "utf8")}`);
}
