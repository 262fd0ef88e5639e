import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { downloadFile } from "../../../src/host/download.js";
import { LocalPart } from "../../../src/host/part-file.js";
import type { DownloadPace } from "../../../src/host/transfer-watch.js";
import { breakOff, drip, HostileServer, ranges, stall, whole, wrongRange } from "../../support/hostile-server.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const file = Buffer.from("0123456789".repeat(1000));
/** Everything in hundredths of the time. */
const quick: DownloadPace = {
  retries: 2,
  firstWaitSeconds: 0.01,
  idleSeconds: 5,
  slowest: { bytesPerSecond: 1000, windowSeconds: 0.3 },
};

describe("downloadFile", () => {
  let server: HostileServer;
  let path: string;

  beforeEach(async () => {
    server = await HostileServer.start();
    path = join(await temporaryFolder(), "file");
  });
  afterEach(() => server.close());

  const download = (pace: Partial<DownloadPace> = {}) =>
    downloadFile(server.url, new LocalPart(path), {}, { ...quick, ...pace });
  const content = () => readFile(path, "utf8");

  it("takes up a transfer that is too slow, as one that broke off", async () => {
    server.answer(drip(file), ranges(file));
    await download({ retries: 6 });
    expect(await content()).toBe(file.toString());
    expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it("says that it was too slow when it stays so", async () => {
    server.answer(drip(file));
    await expect(download()).rejects.toMatchObject({
      code: "download-failed",
      parts: {
        got: expect.stringMatching(/^\d+ of 10000 bytes, then the server sent only \d+ bytes in 0.3 s$/) as string,
        expected: "10000 bytes",
      },
    });
    expect(server.ranges).toHaveLength(3);
  });

  it("says that the server fell silent", async () => {
    server.answer(stall(file, 4000));
    const pace = { idleSeconds: 0.1, retries: 0 };
    await expect(download(pace)).rejects.toMatchObject({
      parts: { got: "4000 of 10000 bytes, then the server sent nothing for 0.1 s", expected: "10000 bytes" },
    });
  });

  it("says how much of a file came that always ends early, and keeps it for the next time", async () => {
    server.answer(breakOff(file, 1000));
    await expect(download()).rejects.toMatchObject({
      code: "download-failed",
      parts: { where: server.url, got: expect.stringMatching(/^[1-9]\d{2,3} of 10000 bytes, then /) as string },
    });
    const kept = await content();
    expect(kept).not.toBe("");
    server.answer(ranges(file));
    await download({ retries: 6 });
    expect(server.ranges[0]).toBe(`bytes=${kept.length}-`);
    expect(await content()).toBe(file.toString());
  });

  it("does not add a range to what is there that begins elsewhere", async () => {
    await writeFile(path, file.subarray(0, 5000));
    server.answer(wrongRange(file), whole(file));
    await download();
    expect(await content()).toBe(file.toString());
    expect(server.ranges.slice(0, 2)).toEqual(["bytes=5000-", undefined]);
  });

  it("takes the file as it is from a server that would pack it", async () => {
    const asked: (string | undefined)[] = [];
    server.answer((response, from) => {
      asked.push(response.req.headers["accept-encoding"]);
      whole(file)(response, from);
    });
    await download();
    expect(asked).toEqual(["identity"]);
  });
});
