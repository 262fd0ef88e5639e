import { describe, expect, it } from "vitest";

import { findGroupMembers, membersPath } from "../../../src/host/control-group.js";

const container = "docker/4f1c";

describe("the control group of a process", () => {
  it.each([
    ["version 2", `0::/${container}\n`, `/sys/fs/cgroup/${container}/cgroup.procs`],
    [
      "systemd's driver",
      "0::/system.slice/docker-4f1c.scope\n",
      "/sys/fs/cgroup/system.slice/docker-4f1c.scope/cgroup.procs",
    ],
    [
      "version 1",
      `5:devices:/${container}\n4:memory:/${container}\n0::/\n`,
      `/sys/fs/cgroup/memory/${container}/cgroup.procs`,
    ],
    ["version 1, mounted together", `4:cpu,memory:/${container}\n`, `/sys/fs/cgroup/memory/${container}/cgroup.procs`],
    ["none of its own", "4:memory:/\n0::/\n", undefined],
    ["nothing that was told", "", undefined],
  ])("is found with %s", (_version, text, path) => {
    expect(membersPath(text)).toBe(path);
  });

  const host = (files: Record<string, string>) => ({ readText: (path: string) => Promise.resolve(files[path]) });

  it("has the processes that the system lists", async () => {
    const files = { "/proc/7/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cgroup.procs": "7\n9\n" };
    expect(await findGroupMembers(host(files), 7)).toEqual(new Set([7, 9]));
  });

  it.each([
    ["the process has ended", {}],
    ["the group is not to be seen", { "/proc/7/cgroup": "0::/a\n" }],
    ["the process is in a group below", { "/proc/7/cgroup": "0::/a\n", "/sys/fs/cgroup/a/cgroup.procs": "9\n" }],
  ])("is not known when %s", async (_reason, files) => {
    expect(await findGroupMembers(host(files), 7)).toBeUndefined();
  });
});
