/** Measurements lie in the cache: whoever deletes them loses nothing but what a plan could have told. */
import { posix } from "node:path";

import { canonicalJson, sha256 } from "../lib/canonical.js";
import { measure, mostSamples, type Measure } from "../schema/measures.js";
import type { Host } from "./host.js";
import { dataPaths } from "./paths.js";

/** Every measurement of the host; a file that was changed by hand is as good as missing. */
export async function readMeasures(host: Host, dataDir: string): Promise<Measure[]> {
  const folder = measuresFolder(dataDir);
  const names = (await host.list(folder)).filter((name) => name.endsWith(".json"));
  const found = await Promise.all(names.map((name) => readMeasure(host, posix.join(folder, name))));
  return found.filter((each) => each !== undefined);
}

/** Adds samples to those of their kind that are there; of all the latest stay. */
export async function addMeasure(host: Host, dataDir: string, added: Measure): Promise<void> {
  const path = posix.join(measuresFolder(dataDir), nameOf(added));
  const known = await readMeasure(host, path);
  await host.writeFile(path, `${JSON.stringify(known === undefined ? added : join(known, added))}\n`, 0o600);
}

function join(known: Measure, added: Measure): Measure {
  if (known.kind === "transfer" && added.kind === "transfer")
    return { ...added, samples: [...known.samples, ...added.samples].slice(-mostSamples) };
  if (known.kind === "load" && added.kind === "load")
    return { ...added, samples: [...known.samples, ...added.samples].slice(-mostSamples) };
  return added;
}

async function readMeasure(host: Host, path: string): Promise<Measure | undefined> {
  const text = await host.readText(path);
  if (text === undefined) return undefined;
  try {
    return measure.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function nameOf({ samples: _, ...key }: Measure): string {
  return `${key.kind}-${sha256(canonicalJson(key)).slice(0, 16)}.json`;
}

function measuresFolder(dataDir: string): string {
  return posix.join(dataPaths(dataDir).cache, "measures");
}
