import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { addDeviceFiles, withDeviceFiles } from "../../../../src/host/accelerators/device-files.js";
import { LocalHost } from "../../../../src/host/local.js";
import type { Accelerator } from "../../../../src/schema/facts.js";
import { seen } from "../../support/accelerator-fixtures.js";

const filesOf = (accelerators: readonly Accelerator[]) =>
  accelerators.map(({ deviceFiles = [] }) => deviceFiles.map(({ path }) => path));

/** What an AMD host with two cards and a server's own display tells. */
const found = `0000:03:00.0 44 /dev/dri/card0
0000:0c:00.0 44 /dev/dri/card1
0000:22:00.0 44 /dev/dri/card2
amdgpu_xcp_0 44 /dev/dri/card3
0000:0c:00.0 992 /dev/dri/renderD128
0000:22:00.0 992 /dev/dri/renderD129
amdgpu_xcp_0 992 /dev/dri/renderD130
- 0 /dev/mxgd
`;

describe("the device files of an accelerator", () => {
  it("are those of its PCI bus id, with the groups that own them", () => {
    const { accelerators } = seen("amd/synthetic-rocm62-mi300x");
    const [one, other] = addDeviceFiles(accelerators, found);
    expect(one?.deviceFiles).toEqual([
      { path: "/dev/dri/card1", groupId: 44 },
      { path: "/dev/dri/renderD128", groupId: 992 },
    ]);
    expect(other?.deviceFiles?.map(({ path }) => path)).toEqual(["/dev/dri/card2", "/dev/dri/renderD129"]);
  });

  it.each(["hygon/synthetic-hy-smi", "metax/synthetic-c500"])(
    "are told by its bus id of each vendor: %s",
    (fixture) => {
      const { accelerators } = seen(fixture);
      const lines = accelerators.map(({ pciBusId = "?" }, index) => `${pciBusId} 992 /dev/dri/renderD${128 + index}\n`);
      const files = filesOf(addDeviceFiles(accelerators, lines.join("")));
      expect(files).toEqual(accelerators.map((_, index) => [`/dev/dri/renderD${128 + index}`]));
    },
  );

  it("are also those that all cards of its type have, where they are there", () => {
    const { accelerators } = seen("metax/synthetic-c500");
    expect(new Set(filesOf(addDeviceFiles(accelerators, found)).flat())).toEqual(new Set(["/dev/mxgd"]));
    expect(filesOf(addDeviceFiles(seen("nvidia/synthetic-535-h100").accelerators, found)).flat()).toEqual([]);
  });

  it.each([
    "",
    "no\n",
    "0000:0c:00.0 44 /etc/shadow\n",
    "0000:0c:00.0 x /dev/dri/card1\n",
    "0000:0c:00.0 44 /dev/a b\n",
  ])("are none in %j", (text) => {
    const { accelerators } = seen("amd/synthetic-rocm62-mi300x");
    expect(addDeviceFiles(accelerators, text)).toEqual(accelerators);
  });
});

describe("a host that is asked for device files", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "berth-unit-"));
    const make = (path: string) => mkdirSync(join(root, path), { recursive: true });
    ["sys/class/drm", "dev/dri"].forEach(make);
    for (const [name, bus] of Object.entries({ card1: "0000:0c:00.0", renderD128: "0000:0c:00.0" })) {
      make(`sys/devices/pci0000:00/${bus}/drm/${name}`);
      symlinkSync(`../..`, join(root, "sys/devices/pci0000:00", bus, "drm", name, "device"));
      symlinkSync(`../../devices/pci0000:00/${bus}/drm/${name}`, join(root, "sys/class/drm", name));
      writeFileSync(join(root, "dev/dri", name), "");
    }
    // A connector of a card, and a card whose file is not there.
    make("sys/class/drm/card1-HDMI-A-1");
    make("sys/class/drm/card7");
    writeFileSync(join(root, "dev/mxgd"), "");
  });
  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  const host = new LocalHost("local", { PATH: process.env.PATH ?? "", HOME: "/" });

  it("tells them as its kernel has them", async () => {
    const gid = process.getgid?.() ?? 0;
    const [card] = await withDeviceFiles(host, seen("amd/synthetic-rocm62-mi300x").accelerators, [], root);
    expect(card?.deviceFiles).toEqual([
      { path: "/dev/dri/card1", groupId: gid },
      { path: "/dev/dri/renderD128", groupId: gid },
    ]);
    const metax = await withDeviceFiles(host, seen("metax/synthetic-c500").accelerators, [], root);
    expect(metax[0]?.deviceFiles).toEqual([{ path: "/dev/mxgd", groupId: gid }]);
  });

  it("is asked nothing for cards that have none", async () => {
    const { accelerators } = seen("nvidia/synthetic-535-h100");
    const unasked = { run: () => Promise.reject(new Error("asked")) };
    expect(await withDeviceFiles(unasked, accelerators)).toEqual(accelerators);
  });
});
