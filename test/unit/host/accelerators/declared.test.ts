import { describe, expect, it } from "vitest";

import { declaredDetector } from "../../../../src/host/accelerators/declared.js";
import { addDeviceFiles } from "../../../../src/host/accelerators/device-files.js";
import { findAccelerators } from "../../../../src/host/accelerators/search.js";
import { declaredDevices, type DeclaredType } from "../../../../src/schema/declared-devices.js";
import { ToolHost } from "../../support/tool-host.js";

const declaredOf = (devices: object): DeclaredType => ({
  ...declaredDevices.parse(devices),
  type: "newtype",
  vendor: "newvendor",
  device: "New device",
});

const byTool = declaredOf({
  find: {
    command: ["new-smi", "list"],
    pattern: "^(?<index>\\d+), (?<name>[^,]+), (?<uuid>\\S+), (?<pciBusId>\\S+), (?<memory>\\d+ MiB)$",
  },
  driverVersion: { command: ["new-smi", "version"], pattern: "^driver (\\S+)$" },
  runtimeVersion: { command: ["cat", "/opt/new/version"], pattern: "^(\\S+)" },
  nodes: ["/dev/new_ctl", "/dev/new{{index}}"],
  driverFiles: ["/opt/new/lib"],
  variable: "NEW_VISIBLE_DEVICES",
});

const find = (answers: Record<string, string>, declared: DeclaredType) =>
  findAccelerators(new ToolHost(answers), { ramBytes: 1, detectors: [declaredDetector(declared)] });

describe("devices of a type that a file describes", () => {
  it("are found by its command, with what its pattern names and other commands tell", async () => {
    const answers = {
      "new-smi list": "index, name\n0, N100, NEW-a, 0000:1A:00.0, 32768 MiB\n3, N100, NEW-b, 0000:1b:00.0, 32768 MiB\n",
      "new-smi version": "tool 1\ndriver 5.1\n",
      "cat /opt/new/version": "3.2.1\n",
    };
    const { accelerators, usage, warnings } = await find(answers, byTool);
    const same = { type: "newtype", vendor: "newvendor", name: "N100", memoryBytes: 2 ** 35, driverVersion: "5.1" };
    const declared = { variable: "NEW_VISIBLE_DEVICES", driverFiles: ["/opt/new/lib"] };
    expect(accelerators).toEqual([
      { ...same, index: 0, uuid: "NEW-a", pciBusId: "0000:1a:00.0", runtimeVersion: "3.2.1", declared },
      { ...same, index: 3, uuid: "NEW-b", pciBusId: "0000:1b:00.0", runtimeVersion: "3.2.1", declared },
    ]);
    expect([usage, warnings]).toEqual([[{ uuid: "NEW-a" }, { uuid: "NEW-b" }], []]);
  });

  it("are found by their device files, where there is no tool", async () => {
    const byFiles = declaredOf({
      find: { command: ["ls", "/dev"], pattern: "^new(?<index>\\d+)$" },
      memoryBytes: 2 ** 34,
    });
    const { accelerators, warnings } = await find({ "ls /dev": "new0\nnew1\nnull\nnew_ctl\n" }, byFiles);
    expect(accelerators).toMatchObject([
      { name: "New device", index: 0, uuid: "newtype-0", identifiedBy: "index", memoryBytes: 2 ** 34 },
      { index: 1, uuid: "newtype-1" },
    ]);
    expect(warnings[0]).toContain("a reboot may give this name to another");
    expect(await find({ "ls /dev": "null\n" }, byFiles)).toEqual({ accelerators: [], usage: [], warnings: [] });
  });

  it.each<[string, string, string]>([
    ["one number", "0, N100, NEW-b, 0000:1b:00.0, 1 MiB", "N100 NEW-b: `new-smi list` tells the number 0 twice"],
    ["one UUID", "1, N100, NEW-a, 0000:1b:00.0, 1 MiB", "N100 NEW-a is told twice"],
    ["all alike", "0, N100, NEW-a, 0000:1a:00.0, 1 MiB", "N100 NEW-a: `new-smi list` tells the number 0 twice"],
  ])("count once, with a warning, where two lines have %s", async (_what, line, warning) => {
    const first = "0, N100, NEW-a, 0000:1a:00.0, 1 MiB";
    const { accelerators, usage, warnings } = await find(
      { "new-smi list": `${first}\n${line}\n`, "new-smi version": "driver 5.1\n" },
      byTool,
    );
    expect(accelerators.map(({ uuid, index }) => [uuid, index])).toEqual([["NEW-a", 0]]);
    expect(usage).toEqual([{ uuid: "NEW-a" }]);
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  });

  it("count once, with a warning, where Berth's own code finds them too", async () => {
    const alike = declaredOf({
      find: { command: ["new-smi"], pattern: "^(?<index>\\d+) (?<uuid>\\S+)$" },
      memoryBytes: 1,
    });
    const { accelerators, usage, warnings } = await findAccelerators(
      new ToolHost({ "new-smi": "0 NEW-a\n1 NEW-b\n" }),
      {
        ramBytes: 1,
        detectors: [declaredDetector({ ...alike, type: "cuda" }), declaredDetector(alike)],
      },
    );
    expect(accelerators.map(({ type, uuid }) => [type, uuid])).toEqual([
      ["cuda", "NEW-a"],
      ["cuda", "NEW-b"],
    ]);
    expect(usage).toHaveLength(2);
    expect(warnings).toEqual([
      "New device NEW-a is told twice, as cuda and as newtype: it counts once, as cuda",
      "New device NEW-b is told twice, as cuda and as newtype: it counts once, as cuda",
    ]);
  });

  it("are none, without a warning, where its command is not installed", async () => {
    expect(await find({}, byTool)).toEqual({ accelerators: [], usage: [], warnings: [] });
  });

  it("have those of its device files that the host has, with the groups that own them", async () => {
    const answers = { "new-smi list": "1, N100, NEW-a, -, 1 MiB\n" };
    const { accelerators } = await find(answers, byTool);
    const found = "- 44 /dev/new_ctl\n- 992 /dev/new1\n- 992 /dev/new2\n";
    expect(addDeviceFiles(accelerators, found, [byTool])[0]?.deviceFiles).toEqual([
      { path: "/dev/new_ctl", groupId: 44 },
      { path: "/dev/new1", groupId: 992 },
    ]);
  });
});

describe("what a file says of devices", () => {
  const find = { command: ["x"], pattern: "(?<index>\\d)" };
  it.each<[string, object]>([
    ["a pattern without the number of the device", { find: { ...find, pattern: "(\\d+)" } }],
    ["a pattern that names something else", { find: { ...find, pattern: "(?<index>\\d)(?<colour>.)" } }],
    ["a pattern that is no regular expression", { find: { ...find, pattern: "(?<index>" } }],
    ["a version of two groups", { find, driverVersion: { command: ["x"], pattern: "(a)(b)" } }],
    ["no command", { find: { ...find, command: [] } }],
    ["a file that is no device", { find, nodes: ["/etc/shadow"] }],
    ["a file beside the devices", { find, nodes: ["/dev/../etc/shadow"] }],
    ["a variable that is none", { find, variable: "A B" }],
  ])("is refused with %s", (_, devices) => {
    expect(declaredDevices.safeParse({ find }).success).toBe(true);
    expect(declaredDevices.safeParse(devices).success).toBe(false);
  });
});
