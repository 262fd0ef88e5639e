import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { mountOptions, parseSurvey } from "../../../src/host/survey.js";

const moment = { mounts: "/dev/a / ext4 rw 0 0\n", begun: 1_000_000_000_500, ended: 1_000_000_002_000 };
const text = `os Linux
user berth
groups berth video render
tool sh
tool stat
gnu stat
nearest 755 berth berth yes no /data/a  b
other lost one
device 660 root render no no /dev/kfd
socket 660 root docker no no /var/run/docker.sock
pci 0x10de nvidia
pci 0x1002 
systemd yes
linger no
clock 1000000001`;

describe("parseSurvey", () => {
  it("reads what the host's shell tells, whatever paths hold", () => {
    expect(parseSurvey(text, moment)).toEqual({
      os: "Linux",
      user: "berth",
      groups: ["berth", "video", "render"],
      tools: new Set(["sh", "stat"]),
      gnu: new Set(["stat"]),
      nearest: {
        ...{ path: "/data/a  b", owner: "berth", group: "berth", mode: 0o755, readable: true, writable: false },
      },
      othersFiles: ["lost one"],
      mountOptions: ["rw"],
      devices: [{ path: "/dev/kfd", owner: "root", group: "render", mode: 0o660, readable: false, writable: false }],
      sockets: [
        { path: "/var/run/docker.sock", owner: "root", group: "docker", mode: 0o660, readable: false, writable: false },
      ],
      pci: [
        { vendor: "0x10de", driver: "nvidia" },
        { vendor: "0x1002", driver: undefined },
      ],
      systemd: true,
      lingers: false,
      clockOffsetSeconds: 0,
    });
  });

  it.each([
    [1_000_000_000, 0],
    [1_000_000_002, 0],
    [1_000_000_005, 3],
    [999_999_990, -9],
  ])("takes a clock that shows %d for %d s away", (clock, offset) => {
    const shown = text.replace("clock 1000000001", `clock ${clock}`);
    expect(parseSurvey(shown, moment)?.clockOffsetSeconds).toBe(offset);
  });

  it("is undefined when the host did not come to its end", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: text.indexOf("clock") }), (length) => {
        expect(parseSurvey(text.slice(0, length), moment)).toBeUndefined();
      }),
    );
  });
});

describe("mountOptions", () => {
  const mounts = [
    "overlay / overlay rw,relatime 0 0",
    "/dev/b /data ext4 rw 0 0",
    "/dev/c /data\\040two ext4 rw,noexec 0 0",
    "/dev/d /data/deep xfs ro 0 0",
    "tmpfs /data/deep tmpfs rw,nosuid 0 0",
  ].join("\n");

  it.each([
    ["/", "rw,relatime"],
    ["/database", "rw,relatime"],
    ["/data", "rw"],
    ["/data/x", "rw"],
    ["/data two/x", "rw,noexec"],
    ["/data/deep/x", "rw,nosuid"],
  ])("of %s are those of the last mount over it", (path, options) => {
    expect(mountOptions(mounts, path)?.join(",")).toBe(options);
  });

  it("are unknown where no mount is told of", () => {
    expect(mountOptions("", "/data")).toBeUndefined();
  });
});
