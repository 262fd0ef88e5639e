import { describe, expect, it } from "vitest";

import { explain, isPassing } from "../../../src/runtime/docker-failure.js";
import { DockerFault, type DockerReason } from "../../../src/runtime/docker-fault.js";

const refused = (status: number | undefined, message: string): DockerReason => ({ kind: "refused", status, message });
const where = "host gpu-1: container chat";

describe("what goes wrong with a Docker Engine", () => {
  it.each<[string, DockerReason, string]>([
    ["no socket", { kind: "unreached", code: "ENOENT" }, "docker-unreachable"],
    ["no right", { kind: "unreached", code: "EACCES" }, "docker-unreachable"],
    ["nobody listens", { kind: "unreached", code: "ECONNREFUSED" }, "docker-unreachable"],
    ["another error of the system", { kind: "unreached", code: "ENOTSOCK" }, "docker-unreachable"],
    ["a broken connection", { kind: "lost", said: "other side closed" }, "docker-unreachable"],
    ["no answer", { kind: "late", seconds: 60 }, "docker-unreachable"],
    ["an old engine", { kind: "tooOld", engine: "19.03.1", api: "1.40", oldest: "1.41" }, "host-unsuitable"],
    ["another answer", { kind: "unreadable", said: "no JSON: <html>" }, "docker-refused"],
    ["nothing there", refused(404, "No such container: chat"), "docker-refused"],
    ["a wrong body", refused(400, "invalid IPC mode: x"), "docker-refused"],
    ["its own failure", refused(500, "context canceled"), "docker-refused"],
    [
      "a port of a container",
      refused(
        500,
        "driver failed programming external connectivity on endpoint x: Bind for 0.0.0.0:80 failed: port is already allocated",
      ),
      "port-in-use",
    ],
    [
      "a port of a process",
      refused(
        500,
        "driver failed programming external connectivity: listen tcp4 0.0.0.0:80: bind: address already in use",
      ),
      "port-in-use",
    ],
    ["no GPUs", refused(500, 'could not select device driver "" with capabilities: [[gpu]]'), "host-unsuitable"],
    ["no runtime", refused(400, "Unknown runtime specified nvidia"), "host-unsuitable"],
    [
      "no CDI device",
      refused(500, "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=7"),
      "host-unsuitable",
    ],
    ["a full disk", refused(500, "mkdir /var/lib/docker/overlay2/x: no space left on device"), "disk-full"],
    [
      "a name",
      refused(409, 'Conflict. The container name "/chat" is already in use by container "1f". You have to remove'),
      "host-foreign",
    ],
    ["no image", refused(404, "No such image: engine:1"), "docker-refused"],
    [
      "an image in use",
      refused(409, "conflict: unable to delete 1f (cannot be forced) - image is being used by running container 2e"),
      "docker-refused",
    ],
    [
      "no folder",
      refused(400, 'invalid mount config for type "bind": bind source path does not exist: /models'),
      "docker-refused",
    ],
    ["no network", refused(404, "network inference not found"), "docker-refused"],
    [
      "no program",
      refused(400, "failed to create shim task: OCI runtime create failed: exec: no such file"),
      "docker-refused",
    ],
    [
      "an old client",
      refused(400, "client version 1.41 is too old. Minimum supported API version is 1.44"),
      "host-unsuitable",
    ],
  ])("is told with its place, what it is, and what to do: %s", (_name, reason, code) => {
    const error = explain(new DockerFault(reason), where);
    expect(error.code).toBe(code);
    expect(error.message.startsWith(`${where}: `)).toBe(true);
    if (reason.kind === "refused") expect(error.message).toContain(reason.message);
  });

  it.each<[string, DockerReason, boolean]>([
    ["nobody listens", { kind: "unreached", code: "ECONNREFUSED" }, true],
    ["no right", { kind: "unreached", code: "EACCES" }, false],
    ["a broken connection", { kind: "lost", said: "reset" }, true],
    ["no answer in a long time", { kind: "late", seconds: 60 }, false],
    ["its own failure", refused(500, "context canceled"), true],
    ["something on the way", refused(503, "busy"), true],
    ["a port", refused(500, "port is already allocated"), false],
    ["a full disk", refused(500, "no space left on device"), false],
    ["a wrong body", refused(400, "invalid"), false],
    ["an error in the midst of an answer", refused(undefined, "something"), false],
  ])("is tried again, or not: %s", (_name, reason, passing) => {
    expect(isPassing(new DockerFault(reason))).toBe(passing);
  });
});
