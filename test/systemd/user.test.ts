import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { expect, it } from "vitest";

import { describeSupervisor } from "../contract/supervisor.js";
import { repository } from "../support/toolchain.js";
import { systemdSetting } from "./setting.js";

describeSupervisor("systemd of an unprivileged user", () => systemdSetting("systemd-user"));

it("doctor is content with a user who lingers", async () => {
  const project = mkdtempSync(join(tmpdir(), "berth-doctor-"));
  writeFileSync(join(project, "Pulumi.yaml"), "name: doctor\nruntime: nodejs\n");
  const berth = join(repository, "dist", "cli", "main.js");
  const { stdout } = await execa(process.execPath, [berth, "doctor"], { cwd: project, reject: false });
  rmSync(project, { recursive: true });
  expect(stdout).toMatch(/^ok {4}supervision +systemd-user$/m);
});
