import { appendFileSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, it } from "vitest";

import { sha256 } from "../../src/lib/canonical.js";
import { models, serveModels } from "../support/fake-stack.js";
import type { FileServer } from "../support/file-server.js";
import { followUps, killAndGoOn, victims, type KillPoint, type Scenario, type Wanted } from "../support/kill.js";
import { Sandbox } from "../support/sandbox.js";

/** Every point with every victim; otherwise the runner's points, each with one victim. */
const runAll = process.env.BERTH_TEST_ALL === "1";

const keep = { answers: "five" };
const chat = { answers: "five" };
const changed = { fields: ['extraParameters: ["--text", "six"]'], answers: "six" };
const only: Wanted = { deployments: { keep } };
const both: Wanted = { deployments: { keep, chat } };

function points(kind: string, operation: KillPoint["operation"], name: string, steps: string[]): KillPoint[] {
  return [...steps, "end"].map((step) => ({ kind, operation, name, step }));
}

const onRunners: Scenario[] = [
  {
    title: "a new instance",
    points: points("Instance", "create", "chat-0", ["start the runner", "wait until it answers", "record what runs"]),
    base: only,
    edited: both,
    removed: only,
  },
  {
    title: "a changed instance",
    points: points("Instance", "update", "chat-0", [
      "stop the old runner",
      "start the runner",
      "wait until it answers",
      "record what runs",
      "remove the old runner",
    ]),
    base: both,
    edited: { deployments: { keep, chat: changed } },
    removed: only,
  },
  {
    title: "a removed instance",
    points: points("Instance", "delete", "chat-0", ["stop the runner", "remove its files"]),
    base: both,
    edited: only,
    removed: only,
  },
  {
    title: "the way back from a change that does not work",
    points: points("Instance", "update", "chat-0", [
      "go back: remove the new runner",
      "go back: start the old runner",
      "go back: wait until it answers",
      "go back: record what runs",
    ]).slice(0, -1),
    base: both,
    edited: { deployments: { keep, chat: { ...chat, model: "broken" } } },
    removed: only,
    fails: true,
  },
];

const onArtifacts: Scenario[] = [
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
      "remove the damaged environment",
      "install",
      "verify",
      "put in place",
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
  {
    title: "a new model",
    points: points("ModelFiles", "create", sha256(models.other).slice(0, 12), ["fetch and verify", "put in place"]),
    base: only,
    edited: { deployments: { keep, chat: { ...chat, model: "other" } } },
    removed: only,
  },
  {
    title: "a repaired model",
    points: points("ModelFiles", "update", sha256(models.good).slice(0, 12), [
      "take aside what is there",
      "fetch and verify",
      "put in place",
    ]),
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
  {
    title: "a new host",
    points: points("Host", "create", "second", ["prepare the data directory"]),
    base: { deployments: { keep: { ...keep, fields: ["host: local"] } } },
    edited: { deployments: { keep: { ...keep, fields: ["host: local"] } }, second: true },
    removed: { deployments: { keep: { ...keep, fields: ["host: local"] } } },
  },
  {
    title: "a removed host",
    points: points("Host", "delete", "second", ["remove everything but the download cache"]),
    base: { deployments: { keep: { ...keep, fields: ["host: local"] } }, second: true },
    edited: { deployments: { keep: { ...keep, fields: ["host: local"] } } },
    removed: { deployments: { keep: { ...keep, fields: ["host: local"] } } },
  },
];

describe.each(runAll ? [...onRunners, ...onArtifacts] : onRunners)("killed in the middle of $title", (scenario) => {
  let server: FileServer;
  let sandbox: Sandbox;

  beforeAll(async () => {
    server = await serveModels();
    sandbox = await Sandbox.create();
  });
  afterAll(async () => {
    await sandbox.dispose();
    await server.close();
  });

  // Each point meets each victim, and over the victims each follow-up.
  const cases = scenario.points.flatMap((point, row) =>
    victims.map((victim, column) => {
      const followUp = followUps[(row + column) % followUps.length] ?? "same";
      return { point, step: point.step, victim, followUp, chosen: runAll || column === row % victims.length };
    }),
  );
  for (const { point, step, victim, followUp, chosen } of cases) {
    it.runIf(chosen)(`at "${step}", ${victim}: the next up with the ${followUp} stack converges`, () =>
      killAndGoOn(sandbox, server, scenario, point, victim, followUp),
    );
  }
});
