import { readdirSync, readFileSync } from "node:fs";
import { join, parse } from "node:path";

import type { Answers, Detector, Sighting } from "../../../src/host/accelerators/detector.js";
import { detectors } from "../../../src/host/accelerators/detectors.js";
import { repository } from "./repository.js";

const folder = join(repository, "test", "fixtures", "accelerators");

export const ramBytes = 128 * 2 ** 30;

/** The answers of a fixture, such as `nvidia/synthetic-535-h100`. */
export function readAnswers(fixture: string): Answers {
  const files = readdirSync(join(folder, fixture));
  return Object.fromEntries(files.map((file) => [parse(file).name, readFileSync(join(folder, fixture, file), "utf8")]));
}

/** Every fixture with its detector. */
export function allFixtures(): { fixture: string; detector: Detector }[] {
  return detectors.flatMap((detector) =>
    readdirSync(join(folder, detector.vendor), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => ({ fixture: `${detector.vendor}/${entry.name}`, detector })),
  );
}

/** What the vendor's detector reads from a fixture. */
export function seen(fixture: string): Sighting {
  const detector = detectors.find(({ vendor }) => vendor === fixture.split("/")[0]);
  if (detector === undefined) throw new Error(`no detector for ${fixture}`);
  return detector.read(readAnswers(fixture), { ramBytes });
}
