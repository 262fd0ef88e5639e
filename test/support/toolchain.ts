import { fileURLToPath } from "node:url";

import { obtainPulumi, type Toolchain } from "../../src/cli/toolchain.js";

export const repository = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

let obtained: Promise<Toolchain> | undefined;

/** The Pulumi CLI by Berth's own way of obtaining it. */
export function toolchain(): Promise<Toolchain> {
  obtained ??= obtainPulumi({
    environment: process.env,
    packageRoot: repository,
    report: (line) => console.error(line),
  });
  return obtained;
}
