import { describe, expect, it } from "vitest";

import { LocalHost } from "../../../src/host/local.js";
import { addMeasure, readMeasures } from "../../../src/host/measures.js";
import { mostSamples, type Measure } from "../../../src/schema/measures.js";
import { temporaryFolder } from "../support/temporary-folder.js";

const at = "2026-01-01T00:00:00.000Z";
const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });

const transfer = (origin: string, bytes: number): Measure => ({
  ...{ schemaVersion: 1, kind: "transfer", origin },
  samples: [{ bytes, seconds: 1, at }],
});

describe("what was measured on a host", () => {
  it("is nothing where nothing was", async () => {
    expect(await readMeasures(host, await temporaryFolder())).toEqual([]);
  });

  it("is kept by where it came from, the latest of each", async () => {
    const dataDir = await temporaryFolder();
    for (let count = 1; count <= mostSamples + 2; count += 1)
      await addMeasure(host, dataDir, transfer("hub.example:8443", count));
    await addMeasure(host, dataDir, transfer("other.example", 9));
    const found = await readMeasures(host, dataDir);
    const bytes = found.map((each) => each.kind === "transfer" && [each.origin, each.samples.map((one) => one.bytes)]);
    expect(Object.fromEntries(bytes as [string, number[]][])).toEqual({
      "hub.example:8443": [3, 4, 5, 6, 7],
      "other.example": [9],
    });
  });

  it("that somebody changed by hand is as good as missing", async () => {
    const dataDir = await temporaryFolder();
    await addMeasure(host, dataDir, transfer("a.example", 1));
    const [name = ""] = await host.list(`${dataDir}/cache/measures`);
    await host.writeFile(`${dataDir}/cache/measures/${name}`, "{}");
    expect(await readMeasures(host, dataDir)).toEqual([]);
    await addMeasure(host, dataDir, transfer("a.example", 2));
    expect(await readMeasures(host, dataDir)).toEqual([transfer("a.example", 2)]);
  });
});
