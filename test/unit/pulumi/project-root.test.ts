import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { findProjectRoot, projectRootOf } from "../../../src/pulumi/project-root.js";

describe("the project's folder", () => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), "berth-root-"));
    mkdirSync(join(root, "dist"));
    writeFileSync(join(root, "Pulumi.yaml"), "name: test\n");
  });
  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  it("is the one of Pulumi.yaml, from a folder below it too", () => {
    expect(findProjectRoot(root)).toBe(root);
    expect(findProjectRoot(join(root, "dist"))).toBe(root);
  });

  it("is the folder itself where no folder above has a Pulumi.yaml", () => {
    expect(findProjectRoot(tmpdir())).toBe(tmpdir());
  });

  it("is what the language host tells, or found from the working directory where it tells nothing", () => {
    expect(projectRootOf(root, "/")).toBe(root);
    expect(projectRootOf("rootDirectory", join(root, "dist"))).toBe(root);
    expect(projectRootOf("", join(root, "dist"))).toBe(root);
  });
});
