/** The evidence that promotions relied on, beside their records. */
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { BerthError, messageOf, systemCode } from "../lib/errors.js";
import { formatEvidence, parseEvidence, type Evidence } from "../schema/evidence.js";
import { promotionsFolder } from "./promotion-file.js";
import { writeWhole } from "./whole-file.js";

/** What became of the evidence of a record since it was written. */
export type EvidenceState = "kept" | "missing" | "changed";

/** Where evidence is kept, below the project's folder. */
export function evidencePath(digest: string): string {
  return `${promotionsFolder}/evidence/${digest}.json`;
}

/** @throws BerthError `evidence-invalid` when it cannot be written */
export async function keepEvidence(root: string, evidence: Evidence): Promise<void> {
  const shownPath = evidencePath(evidence.digest);
  const path = join(root, shownPath);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeWhole(path, formatEvidence(evidence));
  } catch (error) {
    throw new BerthError("evidence-invalid", {
      where: shownPath,
      what: "the evidence of a promotion cannot be kept, so the lock was not written either",
      got: messageOf(error),
      hint: `make \`${promotionsFolder}\` a folder that can be written, and do it again`,
      cause: error,
    });
  }
}

/** Whether the evidence of a digest is there as it was when it was relied on. */
export async function checkEvidence(root: string, digest: string): Promise<EvidenceState> {
  const path = evidencePath(digest);
  try {
    return parseEvidence(await readFile(join(root, path), "utf8"), path).digest === digest ? "kept" : "changed";
  } catch (error) {
    if (systemCode(error) === "ENOENT") return "missing";
    if (error instanceof BerthError) return "changed";
    throw error;
  }
}
