import { both, chat, describeKills, keep, only, points } from "../../support/kill.js";

describeKills([
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
]);
