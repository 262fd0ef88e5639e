import { describe, expect, it } from "vitest";

import {
  connectionLost,
  isConnectionLost,
  isPassing,
  loginFailure,
  unsuitableShell,
  sudoRefusal,
} from "../../../src/host/ssh-failure.js";

const target = { name: "gpu1", address: "gpu1.example.net", user: "berth", port: 2222 };

describe("loginFailure", () => {
  it.each([
    [
      "host-key-unknown",
      "No ED25519 host key is known for gpu1 and you have requested strict checking.\nHost key verification failed.",
    ],
    [
      "host-key-mismatch",
      "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nIT IS POSSIBLE\nHost key verification failed.",
    ],
    [
      "host-key-mismatch",
      "ED25519 host key for gpu1 was revoked by its owner\nHost key gpu1 has changed\nHost key verification failed.",
    ],
    ["host-login-refused", "berth@gpu1.example.net: Permission denied (publickey)."],
    ["host-login-refused", "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures"],
    ["host-unreachable", "ssh: connect to host gpu1 port 22: Connection refused"],
    ["host-unreachable", "ssh: connect to host gpu1 port 22: No route to host"],
    ["host-unreachable", "ssh: connect to host gpu1 port 22: Connection timed out"],
    ["host-unreachable", "ssh: Could not resolve hostname gpu1: Name or service not known"],
    ["host-unreachable", "kex_exchange_identification: read: Connection reset by peer"],
    ["host-unreachable", "Connection timed out during banner exchange"],
    ["host-unreachable", ""],
  ])("is %s for %j", (code, said) => {
    const error = loginFailure(target, said);
    expect(error.code).toBe(code);
    expect(error.parts).toMatchObject({ where: "host gpu1 (berth@gpu1.example.net:2222)", detail: said });
  });

  it("says what to do, with a command that can be copied", () => {
    expect(loginFailure(target, "Host key verification failed.").parts.hint).toContain(
      "ssh -p 2222 berth@gpu1.example.net",
    );
    const changed = loginFailure(target, "REMOTE HOST IDENTIFICATION HAS CHANGED").parts.hint;
    expect(changed).toContain("ssh-keygen -R '[gpu1.example.net]:2222'");
  });
});

describe("sudoRefusal", () => {
  const asRoot = { ...target, sudo: "nonInteractive" } as const;

  it.each([
    ["sudo: a password is required", "berth ALL=(root) NOPASSWD: /bin/sh"],
    [
      "Sorry, user berth is not allowed to execute '/bin/sh -c x' as root on gpu1.",
      "berth ALL=(root) NOPASSWD: /bin/sh",
    ],
    ["sudo: sorry, you must have a tty to run sudo", "Defaults:berth !requiretty"],
    ["/bin/sh: 1: exec: sudo: not found", "install sudo"],
    ["/bin/sh: line 1: exec: sudo: not found", "install sudo"],
    ["welcome\nsudo: unable to resolve host gpu1\nsudo: a password is required", "NOPASSWD: /bin/sh"],
  ])("tells for %j what to do", (said, todo) => {
    const error = sudoRefusal(asRoot, said);
    expect(error?.code).toBe("host-sudo-refused");
    expect(error?.parts.hint).toContain(todo);
  });

  it("is none where nobody wanted sudo, or something else failed", () => {
    expect(sudoRefusal(target, "sudo: a password is required")).toBeUndefined();
    expect(sudoRefusal(asRoot, "This account is currently not available.")).toBeUndefined();
  });

  it("does not repeat the long command that sudo repeats", () => {
    const said = `Sorry, user berth is not allowed to execute '/bin/sh -c ${"x".repeat(1000)}' as root on gpu1.`;
    expect(sudoRefusal(asRoot, said)?.message.length).toBeLessThan(700);
  });
});

describe("isPassing", () => {
  it.each([
    ["kex_exchange_identification: Connection closed by remote host", true],
    ["ssh: connect to host gpu1 port 22: Connection refused", true],
    ["ssh: connect to host gpu1 port 22: Connection timed out", false],
    ["ssh: Could not resolve hostname gpu1: Name or service not known", false],
    ["Host key verification failed.", false],
  ])("of %j is %s", (said, passing) => {
    expect(isPassing(said)).toBe(passing);
  });
});

describe("isConnectionLost", () => {
  it("tells a connection that broke from one that could not be made", () => {
    expect(isConnectionLost(connectionLost(target))).toBe(true);
    expect(isConnectionLost(loginFailure(target, "Connection refused"))).toBe(false);
    expect(isConnectionLost(new Error("the connection was lost before the host told how it ended"))).toBe(false);
  });
});

describe("unsuitableShell", () => {
  it.each([
    "'exec' is not recognized as an internal or external command,\r\noperable program or batch file.",
    "exec : The term 'exec' is not recognized as the name of a cmdlet, function, script file, or operable program.",
    "exec: The term 'exec' is not recognized as a name of a cmdlet, function, script file, or executable program.",
  ])("is Windows that says %j", (detail) => {
    expect(unsuitableShell(target, 1, detail).parts).toMatchObject({
      what: "Berth does not run models on this system",
      got: "Windows",
      detail,
    });
  });

  it("is anything else whose shell does not do it", () => {
    expect(unsuitableShell(target, 1, "This account is currently not available.").parts).toMatchObject({
      what: "commands cannot be run for this user",
      got: "exit code 1",
    });
  });
});
