import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { chat, describeKills, keep, only, points } from "../../support/kill.js";

describeKills([
  {
    title: "a new backend version",
    points: points("BackendVersion", "create", "fake_2", ["download packages", "install", "verify", "put in place"]),
    base: only,
    edited: { deployments: { keep, chat: { ...chat, version: "2" } } },
    removed: only,
  },
  {
    title: "a repaired backend version",
    points: points("BackendVersion", "update", "fake_1", [
      "download packages",
      "install",
      "verify",
      "put in place",
      "remove the installation before",
    ]),
    base: only,
    edited: only,
    removed: { deployments: {} },
    damage(sandbox) {
      const folder = join(sandbox.dataDir, "backends", "fake_1");
      const { environment } = JSON.parse(readFileSync(join(folder, "installation.json"), "utf8")) as {
        environment: string;
      };
      const [python = ""] = readdirSync(join(environment, "lib"));
      appendFileSync(join(environment, "lib", python, "site-packages", "six.py"), "\n# changed\n");
    },
  },
  {
    title: "a removed backend version",
    points: points("BackendVersion", "delete", "fake_2", ["uninstall"]),
    base: { deployments: { keep, chat: { ...chat, version: "2" } } },
    edited: only,
    removed: only,
  },
]);
