import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";

import { describe, expect, it, vi } from "vitest";

import { BundleFolder } from "../../../src/bundle/folder.js";
import { findFileDamage, readPlain } from "../../../src/bundle/plain-file.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { rejectionOf } from "../support/thrown.js";

const refused = (code: string) => Object.assign(new Error(code), { code });
/** What the system says of the file. */
const system = vi.hoisted(() => ({ open: "", read: "" }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<{ open: (...args: unknown[]) => Promise<object> }>();
  const open = async (...args: unknown[]) => {
    if (system.open !== "") throw refused(system.open);
    const file = await real.open(...args);
    if (system.read === "") return file;
    const createReadStream = () => {
      const stream = new Readable({ read: () => stream.destroy(refused(system.read)) });
      return stream;
    };
    return Object.assign(file, { createReadStream });
  };
  return { ...real, open };
});

async function withSystem<T>(said: Partial<typeof system>, action: (path: string) => Promise<T>): Promise<T> {
  const path = join(await temporaryFolder(), "file");
  await writeFile(path, "content");
  Object.assign(system, { open: "", read: "" }, said);
  return action(path).finally(() => Object.assign(system, { open: "", read: "" }));
}

describe("a file that the system does not give", () => {
  const digest = "0".repeat(64);

  it("is told as what it is: not this user's, or of a disk that is broken", async () => {
    const damage = (path: string) => findFileDamage(path, digest, undefined);
    expect(await withSystem({ open: "EACCES" }, damage)).toBe("may not be read by this user");
    expect(await withSystem({ open: "EIO" }, damage)).toBe("cannot be read: the disk has an error there");
    expect(await withSystem({ read: "EIO" }, damage)).toBe("cannot be read: the disk has an error there");
    expect(await withSystem({}, damage)).toMatch(/^has sha256 /);
  });

  it("is no missing bundle", async () => {
    const read = (path: string) => rejectionOf(new BundleFolder(join(path, "..")).readContents());
    expect(await withSystem({ open: "EACCES" }, read)).toMatchObject({
      parts: { got: "bundle.json may not be read by this user" },
    });
  });

  it("is an error of ours when the system says what nobody knows", async () => {
    await expect(withSystem({ open: "EWHAT" }, (path) => readPlain(path, 10))).rejects.toThrow("EWHAT");
  });
});
