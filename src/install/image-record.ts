/** What Berth had a host's engine pull, so that it takes away that and nothing else. */
import { posix } from "node:path";

import { z } from "zod";

import type { Host } from "../host/host.js";
import { dataPaths } from "../host/paths.js";
import { parseJson } from "../lib/json.js";

const imageRecord = z.strictObject({
  schemaVersion: z.literal(1),
  /** `NAME@sha256:...` by which it was pulled; a mirror's and its public name may both be there. */
  names: z.array(z.string()),
  /** What the engine knows it by that was given it without a registry. It was checked that this is the digest's image. */
  id: z.string().optional(),
});

/** A host's folder of records. */
export interface ImageRecords {
  readonly host: Host;
  readonly dataDir: string;
}

/** The names by which Berth pulled the image of a digest. None for one that was there without it. */
export async function readPulledNames(place: ImageRecords, digest: string): Promise<readonly string[]> {
  return (await readImageRecord(place, digest)).names;
}

export type ImageRecord = Pick<z.output<typeof imageRecord>, "names" | "id">;

/** All that Berth knows of an image on a host. */
export async function readImageRecord(place: ImageRecords, digest: string): Promise<ImageRecord> {
  // A file of ours that was changed by hand is as good as missing.
  const { data } = imageRecord.safeParse(parseJson(await place.host.readText(recordPath(place, digest))));
  return data ?? { names: [] };
}

/** The images that Berth pulled, or was about to, with when that was written down. */
export async function listPulledImages(
  place: ImageRecords,
): Promise<{ readonly digest: string; readonly names: readonly string[]; readonly changedAt: string }[]> {
  const files = (await place.host.list(dataPaths(place.dataDir).images)).filter((name) =>
    /^[0-9a-f]{64}\.json$/.test(name),
  );
  return Promise.all(
    files.map(async (file) => {
      const digest = `sha256:${file.slice(0, -".json".length)}`;
      const status = await place.host.status(recordPath(place, digest));
      return { digest, names: await readPulledNames(place, digest), changedAt: status?.changedAt ?? "0" };
    }),
  );
}

/** Before it is pulled: a run that is interrupted leaves no image that nobody knows of. */
export async function recordPull(place: ImageRecords, digest: string, name: string): Promise<void> {
  const { names, ...rest } = await readImageRecord(place, digest);
  await writeRecord(place, digest, { names: [...new Set([...names, name])], ...rest });
}

/** After an image was loaded by a name. */
export async function recordLoad(place: ImageRecords, digest: string, id: string): Promise<void> {
  await writeRecord(place, digest, { ...(await readImageRecord(place, digest)), id });
}

/** After a pull that brought nothing: whoever pulls it by that name from now on, it is theirs. */
export async function forgetPull(place: ImageRecords, digest: string, name: string): Promise<void> {
  const { names: all, ...rest } = await readImageRecord(place, digest);
  const names = all.filter((each) => each !== name);
  if (names.length === 0) await forgetPulls(place, digest);
  else await writeRecord(place, digest, { names, ...rest });
}

async function writeRecord(place: ImageRecords, digest: string, record: ImageRecord): Promise<void> {
  await place.host.writeFile(recordPath(place, digest), `${JSON.stringify({ schemaVersion: 1, ...record })}\n`);
}

export async function forgetPulls(place: ImageRecords, digest: string): Promise<void> {
  await place.host.remove(recordPath(place, digest));
}

function recordPath({ dataDir }: ImageRecords, digest: string): string {
  return posix.join(dataPaths(dataDir).images, `${digest.replace(/^sha256:/, "")}.json`);
}
