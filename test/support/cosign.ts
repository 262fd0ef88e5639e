/** What cosign itself wrote; `test/fixtures/cosign/README.md` tells how. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { repository } from "./toolchain.js";

export function cosignText(name: string): string {
  return readFileSync(join(repository, "test/fixtures/cosign", name), "utf8");
}

/** The digest of the image that it signed. */
export const cosignImage = "sha256:09ade42fe3e69018a3360bb092265af902f9e7d6013146cf152c82ac3a944707";
