// Loaded into every Node process of a run (NODE_OPTIONS=--import). In the one that changes the host it kills the
// Pulumi engine, itself, or both when the journal step that BERTH_TEST_KILL names begins, once.
import { execFileSync } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { existsSync, writeFileSync } from "node:fs";

const wanted = JSON.parse(process.env.BERTH_TEST_KILL ?? "null");

if (wanted !== null) {
  subscribe("berth:journal", ({ kind, name, operation, step }) => {
    const here =
      kind === wanted.kind && operation === wanted.operation && step === wanted.step && name.includes(wanted.name);
    if (!here || existsSync(wanted.marker)) return;
    writeFileSync(wanted.marker, `${kind} ${name} ${operation} ${step}`);
    if (wanted.victim !== "provider") process.kill(engine(), "SIGKILL");
    if (wanted.victim !== "engine") process.kill(process.pid, "SIGKILL");
  });
}

/** The Pulumi process: the parent of the shell script that started this one. */
function engine() {
  return Number(execFileSync("ps", ["-o", "ppid=", "-p", String(process.ppid)], { encoding: "utf8" }));
}
