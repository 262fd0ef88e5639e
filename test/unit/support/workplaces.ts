import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { openWorkplace, type Workplace } from "../../../src/cli/workplace.js";
import { temporaryFolder } from "./temporary-folder.js";

/** A project in a folder of its own, and what commands say in it. */
export interface TestProject {
  readonly workplace: Workplace;
  readonly printed: string[];
  readonly noted: string[];
}

/** @param files texts by their path in the project */
export async function testProject(files: Readonly<Record<string, string>> = {}): Promise<TestProject> {
  const root = await temporaryFolder();
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text);
  }
  const printed: string[] = [];
  const noted: string[] = [];
  const workplace = openWorkplace({
    environment: {},
    root,
    out: (text) => printed.push(...text.split("\n")),
    err: (text) => noted.push(...text.split("\n")),
  });
  return { workplace, printed, noted };
}
