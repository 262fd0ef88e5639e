import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import pLimit from "p-limit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { baseEnvironment } from "../../src/host/environment.js";
import { gatherPython } from "../../src/host/facts.js";
import { LocalHost } from "../../src/host/local.js";
import { createContent } from "../../src/install/content.js";
import type { PythonContext } from "../../src/install/python.js";
import { BerthError } from "../../src/lib/errors.js";
import { Serial } from "../../src/lib/serial.js";
import { readIndexAddress } from "../../src/lock/index-address.js";
import { lockRequirements } from "../../src/lock/python-lock.js";
import { parseIndexPage } from "../../src/model/package-index.js";
import { normalizeName } from "../../src/model/package-name.js";
import { lockRequestOf, readBackendFiles, readBackendText } from "../support/catalogue-files.js";
import { parseRequirements } from "../support/requirements.js";
import { repository } from "../support/toolchain.js";

/** It asks a package index for several hundred packages, so it runs with BERTH_TEST_ALL=1 alone. */
const all = process.env.BERTH_TEST_ALL === "1";
const minutes = 60_000;

const entries = readBackendFiles().flatMap(({ backend }) =>
  Object.entries(backend.versions).flatMap(([version, { install }]) =>
    install.pipx === undefined ? [] : [{ name: backend.name, version, pipx: install.pipx }],
  ),
);
const unpinned = entries.filter(({ pipx }) => pipx.requirements === undefined);
const pinned = entries.flatMap((entry) =>
  entry.pipx.requirements === undefined ? [] : [{ ...entry, requirements: entry.pipx.requirements }],
);

/** Packages that a public index has as sources only: the backend file says so, and how it can be locked. */
const withoutWheels: Readonly<Record<string, string>> = { "vox-box": "aliyun-python-sdk-core==2.16.0" };

const folder = mkdtempSync(join(tmpdir(), "berth catalogue index "));
const host = new LocalHost("here", baseEnvironment(process.env));
let context: PythonContext;

beforeAll(async () => {
  if (!all) return;
  const { python } = await gatherPython(host);
  if (python === undefined) throw new Error("there is no Python");
  const content = createContent(repository, repository);
  const indexUrl = process.env.PIP_INDEX_URL;
  context = { host, dataDir: join(folder, "data"), python: python.path, content, serial: new Serial(), indexUrl };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the catalogue on the package index", () => {
  const solving = pLimit(3);

  it.runIf(all).concurrent.each(unpinned)(
    "$name $version can be locked, for all its platforms and Python versions",
    ({ name, version, pipx }) =>
      solving(async () => {
        const locked = await lockRequirements(context, lockRequestOf(version, pipx, undefined)).catch(
          (error: unknown) => error,
        );
        const missing = withoutWheels[name];
        if (missing !== undefined) {
          expect(locked).toBeInstanceOf(BerthError);
          if (locked instanceof BerthError) expect(locked.parts.got).toBe(missing);
          return;
        }
        if (typeof locked !== "string") throw locked;
        const requirements = parseRequirements(locked);
        expect(requirements.map((one) => one.name)).toContain(normalizeName(pipx.package));
        expect(requirements.filter(({ hashes }) => hashes.length === 0)).toEqual([]);
      }),
    4 * minutes,
  );

  it.runIf(all)(
    "has every hash that a version is pinned by",
    async () => {
      const index = readIndexAddress(process.env.PIP_INDEX_URL);
      const asking = pLimit(8);
      const pages = new Map<string, Promise<ReadonlySet<string>>>();
      const hashesOf = (name: string) => {
        const found = pages.get(name) ?? asking(() => readHashes(`${index.address}/${name}/`, index.headers));
        pages.set(name, found);
        return found;
      };
      const wanted = pinned.flatMap(({ requirements }) => parseRequirements(readBackendText(requirements)));
      const lost = await Promise.all(
        wanted.map(async ({ name, version, hashes }) => {
          const there = await hashesOf(normalizeName(name));
          return hashes.every((hash) => there.has(hash)) ? [] : [`${name}==${version}`];
        }),
      );
      expect(wanted.length).toBeGreaterThan(1);
      expect(lost.flat()).toEqual([]);
    },
    4 * minutes,
  );
});

async function readHashes(address: string, headers: Readonly<Record<string, string>>): Promise<ReadonlySet<string>> {
  const accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5";
  const response = await fetch(address, { headers: { ...headers, accept } });
  if (!response.ok) throw new Error(`${address}: HTTP status ${response.status}`);
  const files = parseIndexPage(response.headers.get("content-type") ?? "", await response.text());
  return new Set(files.flatMap(({ sha256 }) => (sha256 === undefined ? [] : [sha256])));
}
