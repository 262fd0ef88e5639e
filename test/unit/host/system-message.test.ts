import { describe, expect, it } from "vitest";

import { codeOfMessage, systemError } from "../../../src/host/system-message.js";

describe("codeOfMessage", () => {
  it.each([
    ["ENOENT", "cat: /x: No such file or directory\n"],
    ["ENOENT", "sh: 3: cannot open /x: No such file"],
    ["ENOENT", "sh: 3: cannot create /x/y: Directory nonexistent"],
    ["ENOTDIR", "stat: cannot statx '/x/y': Not a directory"],
    ["EISDIR", "cat: read error: Is a directory"],
    ["EISDIR", "mv: cannot overwrite directory '/x' with non-directory"],
    ["EISDIR", "mv: cannot overwrite directory '/x' with non-directory '/x.tmp'"],
    ["ENOTDIR", "mv: cannot overwrite non-directory '/x' with directory '/y'"],
    ["EEXIST", "ln: failed to create hard link '/x': File exists"],
    ["EACCES", "mkdir: cannot create directory '/x': Permission denied"],
    ["EPERM", "chmod: changing permissions of '/x': Operation not permitted"],
    ["ENOTEMPTY", "rmdir: failed to remove '/x': Directory not empty"],
    ["ENAMETOOLONG", "mkdir: cannot create directory '/x': File name too long"],
    ["ENAMETOOLONG", "cat: can't open '/x': Filename too long"],
    ["EROFS", "mkdir: /x: Read-only file system"],
    [
      "ENOSPC",
      "dd: error writing 'standard output': No space left on device\n1+0 records in\n0+0 records out\n0 bytes copied",
    ],
    ["EDQUOT", "dd: error writing 'standard output': Disk quota exceeded\n1+0 records in"],
    ["EBUSY", "rm: cannot remove '/x': Device or resource busy"],
  ])("is %s for %j", (code, said) => {
    expect(codeOfMessage(said)).toBe(code);
  });

  it.each(["", "killed", "cat: /No such file or directory/x: what?", "sh: syntax error"])("is none for %j", (said) => {
    expect(codeOfMessage(said)).toBeUndefined();
  });
});

describe("systemError", () => {
  it("has the code and the path as the system's own errors have them", () => {
    expect(systemError("EACCES", "/x", "cat: /x: Permission denied\n")).toMatchObject({
      code: "EACCES",
      path: "/x",
      message: "EACCES: /x: cat: /x: Permission denied",
    });
  });
});
