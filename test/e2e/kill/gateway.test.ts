import { existsSync } from "node:fs";

import { describe } from "vitest";

import { describeKills, points } from "../../support/kill.js";

const update = "strategy: blueGreen, drainTimeout: 5s";
const chat = { answers: "five", update };
const nothing = { deployments: {} };

describe.runIf(process.env.BERTH_TEST_ALL === "1" || existsSync("/usr/sbin/haproxy"))("behind a gateway", () => {
  describeKills([
    {
      title: "a changed instance, which serves all the time",
      points: points("Instance", "update", "chat-0", [
        "start the runner",
        "wait until it answers",
        "send requests to it",
        "record what runs",
        "let requests in progress end",
        "remove the old runner",
      ]),
      base: { deployments: { chat } },
      edited: { deployments: { chat: { ...chat, fields: ['extraParameters: ["--text", "six"]'], answers: "six" } } },
      removed: nothing,
      victims: ["provider"],
      steady: "chat",
    },
    {
      title: "a new gateway before an instance that served itself",
      points: points("Gateway", "create", "local", ["prepare the gateway's files", "start the gateway"]),
      base: { deployments: { chat: { answers: "five" } } },
      edited: { deployments: { chat } },
      removed: nothing,
      victims: ["provider"],
    },
  ]);
});
