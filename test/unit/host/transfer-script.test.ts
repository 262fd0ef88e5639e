import { describe, expect, it } from "vitest";

import { newTransfer, takeLine, type Transfer } from "../../../src/host/transfer-script.js";

const tag = "8f4e2d";

function read(lines: readonly string[]): Transfer {
  const transfer = newTransfer();
  for (const line of lines) takeLine(transfer, tag, line);
  return transfer;
}

describe("takeLine", () => {
  it("knows how far a transfer is, and of how much", () => {
    const df = "/dev/vda1 41152736 20576368 18450000 53% /";
    const lines = [`${tag} begun 100`, `${tag} free ${df}`, "HTTP/1.1 206 Partial Content", "Content-Length: 200"];
    expect(read([...lines, "", `${tag} at 150`])).toMatchObject({ begun: 100, current: 150, total: 300, status: 206 });
    expect(read(lines).free).toBe(18_450_000 * 1024);
    expect(read([...lines, `${tag} end curl 18`]).ended).toEqual({ tool: "curl", exitCode: 18 });
  });

  it("goes by the last answer, after redirects and proxies, in curl's form and wget's", () => {
    const redirected = ["HTTP/1.1 302 Found", "content-length: 7", "", "HTTP/2 200 ", "content-length: 300"];
    expect(read(redirected)).toMatchObject({ status: 200, total: 300 });
    expect(read(["  HTTP/1.0 200 OK", "  Content-Length: 12"])).toMatchObject({ status: 200, total: 12 });
    expect(read([...redirected, "HTTP/1.1 503 Busy"])).toMatchObject({ status: 503, total: undefined });
  });

  it("learns the whole size from a server that has no further range", () => {
    expect(read(["HTTP/1.1 416 No", "Content-Range: bytes */300"])).toMatchObject({ status: 416, total: 300 });
  });

  it("takes nothing for the script's that a server sends", () => {
    expect(read(["end curl 0", "at 5", "X: 8f4e2d at 5"])).toEqual(newTransfer());
  });
});
