import type { RequestListener } from "node:http";

import { describe, expect, it } from "vitest";

import { fetchText, isAddress, shownAddress } from "../../../src/cli/remote-text.js";
import { serve } from "../support/http-servers.js";
import { rejectionOf } from "../support/thrown.js";

const limits = { largestBytes: 1000, timeoutSeconds: 20 };

describe("fetchText", () => {
  it("gives the text, as UTF-8, also by way of a redirect", async () => {
    const address = await serve(({ url }, response) => {
      if (url === "/old") response.writeHead(302, { location: "/new" }).end();
      else response.end("name: ü\n");
    });
    expect(await fetchText(`${address}/old`, limits)).toBe("name: ü\n");
  });

  it("takes as many bytes as are allowed, and not one more", async () => {
    const address = await serve(({ url }, response) => response.end("a".repeat(Number(url?.slice(1)))));
    expect(await fetchText(`${address}/1000`, limits)).toHaveLength(1000);
    expect((await rejectionOf(fetchText(`${address}/1001`, limits))).code).toBe("file-too-large");
  });

  it.each<[string, RequestListener, string, string]>([
    ["a missing file", (_, response) => response.writeHead(404).end(), "download-failed", "HTTP status 404"],
    [
      "a web page",
      (_, response) => response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end("<html>"),
      "download-failed",
      "the address holds a web page",
    ],
    ["a text without end", (_, response) => pour(response), "file-too-large", "at most 1000 bytes"],
    [
      "a broken connection",
      (_, response) => response.write("a", () => response.destroy()),
      "download-failed",
      "failed",
    ],
    [
      "redirects in a circle",
      (_, response) => response.writeHead(302, { location: "/" }).end(),
      "download-failed",
      "redirect",
    ],
  ])("refuses %s", async (_, listener, code, text) => {
    const address = await serve(listener);
    const error = await rejectionOf(fetchText(`${address}/x.yaml?token=hunter2`, limits));
    expect(error.code).toBe(code);
    expect(error.message).toContain(`${address}/x.yaml: `);
    expect(error.message).toContain(text);
    expect(error.message).not.toContain("hunter2");
  });

  it("gives up on a server that drips", async () => {
    const address = await serve((_, response) => response.write("a"));
    const error = await rejectionOf(fetchText(address, { ...limits, timeoutSeconds: 0.2 }));
    expect(error.parts.got).toBe("nothing whole within 0.2 s");
  });

  it("refuses GitHub's page about a file, and gives the address of the file", async () => {
    const error = await rejectionOf(fetchText("https://github.com/team/engines/blob/v1/a/b.yaml", limits));
    expect(error.parts.hint).toBe("give the file's own: https://raw.githubusercontent.com/team/engines/v1/a/b.yaml");
  });

  it("refuses an address with a password, and does not show it", async () => {
    const error = await rejectionOf(fetchText("https://user:hunter2@example.net/x.yaml", limits));
    expect(error.code).toBe("usage");
    expect(error.message).not.toContain("hunter2");
  });
});

function pour(response: Parameters<RequestListener>[1]): void {
  while (!response.destroyed && response.write("a".repeat(500)));
  response.once("drain", () => pour(response));
}

describe("isAddress and shownAddress", () => {
  it.each([
    ["https://example.net/x", true],
    ["HTTP://example.net", true],
    ["backends/x.yaml", false],
    ["C:\\x.yaml", false],
  ])("%s: %s", (argument, expected) => {
    expect(isAddress(argument)).toBe(expected);
  });

  it("leaves out what may be a key", () => {
    expect(shownAddress("https://u:p@example.net:8443/a/b.yaml?token=k#f")).toBe("https://example.net:8443/a/b.yaml");
  });
});
