import { quote } from "shell-quote";

import { wantedPlugins } from "../lock/wanted-plugins.js";
import { installPlugins } from "./toolchain-archive.js";
import { obtainPulumi } from "./toolchain.js";
import { packageRoot, prepareState, type Workplace } from "./workplace.js";

/** Prints what prepares a POSIX shell for Pulumi in this project: `eval "$(npx berth env)"`. */
export async function printEnvironment(workplace: Workplace): Promise<void> {
  const { environment, root } = workplace;
  const toolchain = await obtainPulumi({ environment, packageRoot, report: (line) => workplace.note(line) });
  workplace.note(toolchain.detail);
  await installPlugins(toolchain, wantedPlugins(root), { environment, report: (line) => workplace.note(line) });
  const state = await prepareState(root);
  const folders = (environment.PATH ?? "").split(":");
  const path = folders[0] === toolchain.binDir ? folders : [toolchain.binDir, ...folders];
  const variables = { PATH: path.join(":"), ...state, PULUMI_SKIP_UPDATE_CHECK: "true" };
  for (const [name, value] of Object.entries(variables)) workplace.print(`export ${name}=${quote([value])}`);
  // A passphrase in the environment would be taken before the file, an empty one too.
  workplace.print("unset PULUMI_CONFIG_PASSPHRASE");
}
