import { afterAll, beforeAll, describe } from "vitest";

import type { Host } from "../../src/host/host.js";
import { describeCommands } from "./host-commands.js";
import { describeDownloads } from "./host-downloads.js";
import { describeFiles } from "./host-files.js";
import { describeFullDisk } from "./host-full-disk.js";
import { describeNetwork } from "./host-network.js";

/** What the suite has to know of a kind of host beside its interface. The host is this machine, however it is reached. */
export interface HostSetting {
  readonly host: Host;
  /** An empty folder on the host. */
  readonly folder: string;
  /** The whole environment that a command gets. */
  readonly environment: Readonly<Record<string, string>>;
  dispose(): Promise<void>;
}

/** What every Host promises (`src/host/host.ts`). */
export function describeHost(name: string, make: () => Promise<HostSetting>): void {
  describe(name, () => {
    let setting: HostSetting;

    beforeAll(async () => {
      setting = await make();
    });
    afterAll(() => setting.dispose());

    describeCommands(() => setting);
    describeFiles(() => setting);
    describeDownloads(() => setting);
    describeFullDisk(() => setting);
    describeNetwork(() => setting);
  });
}
