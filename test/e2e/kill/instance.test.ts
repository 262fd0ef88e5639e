import { both, describeKills, keep, only, points } from "../../support/kill.js";

const changed = { fields: ['extraParameters: ["--text", "six"]'], answers: "six" };

describeKills([
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
]);
