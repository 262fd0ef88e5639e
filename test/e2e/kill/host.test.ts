import { describeKills, keep, points } from "../../support/kill.js";

describeKills([
  {
    title: "a new host",
    points: points("Host", "create", "second", ["prepare the data directory"]),
    base: { deployments: { keep: { ...keep, fields: ["host: local"] } } },
    edited: { deployments: { keep: { ...keep, fields: ["host: local"] } }, second: true },
    removed: { deployments: { keep: { ...keep, fields: ["host: local"] } } },
    leavesFolder: true,
  },
  {
    title: "a removed host",
    points: points("Host", "delete", "second", ["remove everything but the download cache"]),
    base: { deployments: { keep: { ...keep, fields: ["host: local"] } }, second: true },
    edited: { deployments: { keep: { ...keep, fields: ["host: local"] } } },
    removed: { deployments: { keep: { ...keep, fields: ["host: local"] } } },
  },
]);
