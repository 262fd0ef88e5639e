import { truncateSync } from "node:fs";
import { join } from "node:path";

import { sha256 } from "../../../src/lib/canonical.js";
import { models } from "../../support/fake-stack.js";
import { chat, describeKills, keep, only, points } from "../../support/kill.js";

describeKills([
  {
    title: "a new model",
    points: points("ModelFiles", "create", sha256(models.other).slice(0, 12), ["fetch and verify", "put in place"]),
    base: only,
    edited: { deployments: { keep, chat: { ...chat, model: "other" } } },
    removed: only,
  },
  {
    title: "a repaired model",
    points: points("ModelFiles", "update", sha256(models.good).slice(0, 12), ["fetch and verify", "put in place"]),
    base: only,
    edited: only,
    removed: { deployments: {} },
    damage: (sandbox) => truncateSync(join(sandbox.dataDir, "models", sha256(models.good), "model.txt"), 3),
  },
  {
    title: "a removed model",
    points: points("ModelFiles", "delete", sha256(models.other).slice(0, 12), ["take back to the cache"]),
    base: { deployments: { keep, chat: { ...chat, model: "other" } } },
    edited: only,
    removed: only,
  },
]);
