import { adviseHidden, describeHidden } from "../../catalog/runner-hidden.js";
import { BerthError } from "../../lib/errors.js";
import { readHiddenRunners } from "../../lock/runner-files.js";
import type { Finding } from "./finding.js";

/** What a project's files of runner images hide of Berth's. */
export function examineRunners(root: string, packageRoot: string): Finding[] {
  const subject = "runner images";
  try {
    return readHiddenRunners(root, packageRoot).map((hidden) => {
      return { state: "note", subject, found: describeHidden(hidden), mend: adviseHidden(hidden) };
    });
  } catch (error) {
    if (!(error instanceof BerthError)) throw error;
    return [{ state: "bad", subject, found: error.message }];
  }
}
