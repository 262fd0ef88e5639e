import { describe, expect, it } from "vitest";

import { findVerified, type RecordedCommand } from "../../../src/lock/verified.js";
import type { DesiredVerification } from "../../../src/planner/desired-commands.js";

const verification: DesiredVerification = {
  name: "chat-0.verify.smoke",
  instance: "chat-0",
  instancePlaced: { bindAddress: "0.0.0.0", port: 8000 },
  servedModel: "chat",
  apiKey: undefined,
  host: { name: "local", connection: "local" },
  placed: { command: "curl {{endpoint}} {{model_name}}", on: "host", timeoutSeconds: 300 },
};
const ran: RecordedCommand = {
  name: "chat-0.verify.smoke",
  text: "curl http://127.0.0.1:8000/v1 chat",
  triggers: ["0123456789ab"],
};
const instance = { kind: "Instance", outputs: { name: "chat-0", generation: "0123456789ab" } };
const passed = (commands: readonly RecordedCommand[], resources = [instance]) =>
  findVerified([verification], commands, { resources })[0]?.passed;

describe("whether a `verify` command has passed for what runs", () => {
  it("is so when the state has it with its text, for the generation that runs", () => {
    expect(findVerified([verification], [ran], { resources: [instance] })).toEqual([
      { command: "chat-0.verify.smoke", passed: true },
    ]);
  });

  it.each<[string, RecordedCommand[]]>([
    ["it is not in the state: it failed when it first ran", []],
    ["it ran for an earlier generation, and failed for this one", [{ ...ran, triggers: ["ba9876543210"] }]],
    ["its text is another now", [{ ...ran, text: "true" }]],
    ["it is of another instance", [{ ...ran, name: "chat-1.verify.smoke" }]],
    ["nothing tells what it ran for", [{ ...ran, triggers: undefined }]],
    ["it ran for more than that", [{ ...ran, triggers: ["0123456789ab", "more"] }]],
  ])("is not so when %s", (_, commands) => {
    expect(passed(commands)).toBe(false);
  });

  it("is not so for an instance that is not there, or that nobody has verified", () => {
    expect(passed([ran], [])).toBe(false);
    const unverified = { kind: "Instance", outputs: { name: "chat-0", generation: "" } };
    expect(passed([{ ...ran, triggers: [""] }], [unverified])).toBe(false);
    expect(findVerified([verification], [ran], undefined)[0]?.passed).toBe(false);
  });
});
