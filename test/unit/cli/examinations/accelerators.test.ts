import { describe, expect, it } from "vitest";

import { judgeAccelerators, type AcceleratorsSight } from "../../../../src/cli/examinations/accelerators.js";
import { access, survey } from "./surveys.js";

const sight = (changes: Partial<ReturnType<typeof survey>>): AcceleratorsSight => ({
  ...{ accelerators: [], warnings: [], survey: survey(changes) },
});
const device = (path: string, writable = true) =>
  access({ path, owner: "root", group: "render", mode: 0o660, writable });

describe("judgeAccelerators", () => {
  it("says when there are none, and no trace of one", () => {
    expect(judgeAccelerators(sight({}))).toEqual([{ state: "note", subject: "accelerators", found: "none" }]);
  });

  it.each<[string, AcceleratorsSight, string, string]>([
    [
      "a driver without its tool",
      sight({ devices: [device("/proc/driver/nvidia/version", false)] }),
      "NVIDIA's driver is there, but nvidia-smi tells of no accelerator",
      "install NVIDIA's nvidia-smi",
    ],
    [
      "a card without a driver",
      sight({ pci: [{ vendor: "0x10de", driver: undefined }] }),
      "1 of NVIDIA with no driver",
      "install NVIDIA's driver",
    ],
    [
      "a driver for pictures",
      sight({ pci: [{ vendor: "0x10de", driver: "nouveau" }] }),
      "the driver nouveau, which calculates nothing",
      "install NVIDIA's driver",
    ],
    [
      "a device of a group that the user is not in",
      sight({ devices: [device("/dev/kfd", false)] }),
      "berth may not use /dev/kfd",
      "sudo usermod -aG render berth",
    ],
  ])("tells of %s what to do", (_, of, found, mend) => {
    const finding = judgeAccelerators(of).find((each) => each.found.includes(found));
    expect(finding?.mend).toContain(mend);
  });

  it("says what tools warned of, and nothing of a display of another vendor", () => {
    const of = { ...sight({ pci: [{ vendor: "0x1234", driver: "bochs-drm" }] }), warnings: ["`nvidia-smi` failed"] };
    expect(judgeAccelerators(of).map(({ found }) => found)).toEqual(["none", "`nvidia-smi` failed"]);
  });
});
