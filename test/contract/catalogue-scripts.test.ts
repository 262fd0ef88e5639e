import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";

import { renderCommand } from "../../src/catalog/command.js";
import { readBackendFiles } from "../support/catalogue-files.js";

const values = {
  model_path: "/models/a b/it's;$(touch pwned).gguf",
  mmproj_path: "",
  model_name: 'my "model"',
  port: "40123",
  worker_ip: "127.0.0.1",
  gpu_count: "2",
  gpu_ids: "4,5",
};

/** A folder with programs that stand for those of an image, first on the PATH. */
function workshop(programs: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "berth script "));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "bin"));
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  const env = { PATH: `${join(folder, "bin")}:${process.env.PATH ?? ""}`, TMPDIR: folder, LOG: join(folder, "log") };
  return { folder, env, log: () => readFileSync(join(folder, "log"), "utf8") };
}

/** The arguments of a backend's default version in its image, entrypoint first. */
function commandOf(name: string, more: readonly string[] = []): string[] {
  const backend = readBackendFiles().find((file) => file.backend.name === name)?.backend;
  const rule = backend?.images[0];
  if (backend === undefined || rule === undefined) throw new Error(`no image of ${name}`);
  const template = [rule.entrypoint, rule.runCommand ?? backend.runCommand];
  const environment = backend.env;
  return [...template.flatMap((text) => renderCommand(text, { builtIn: values, environment })), ...more];
}

function start(words: readonly string[], folder: string, env: Record<string, string>) {
  const [command = "", ...args] = words;
  return execa(command, args, { cwd: folder, env, reject: false, all: true });
}

/** Each argument of a program in a line of its own, behind a tab. */
const record = (name: string) => `{ echo ${name}; for one; do printf '\\t%s\\n' "$one"; done; } >>"$LOG"`;

describe("the command of a backend whose engine takes no arguments", () => {
  it("of MindIE writes the server's file from them", async () => {
    const { folder, env } = workshop({ mindieservice_daemon: 'cat "$MIES_CONFIG_JSON_PATH"; pwd' });
    mkdirSync(join(folder, "conf"));
    const original = {
      ServerConfig: {
        ipAddress: "127.0.0.1",
        managementIpAddress: "127.0.0.2",
        port: 1025,
        httpsEnabled: true,
        kept: 1,
      },
      BackendConfig: {
        npuDeviceIds: [[0, 1, 2, 3]],
        ModelDeployConfig: { maxSeqLen: 2560, ModelConfig: [{ modelName: "llama", worldSize: 4, backendType: "atb" }] },
        ScheduleConfig: { maxBatchSize: 200 },
      },
    };
    writeFileSync(join(folder, "conf", "config.json"), JSON.stringify(original));
    const words = commandOf("mindie", ["--max-seq-len", "8192"]);
    const { stdout, exitCode, all } = await start(words, folder, { ...env, MIES_INSTALL_PATH: folder });
    expect(exitCode, all).toBe(0);
    const [json = "", place] = stdout.split(/\n(?=[^{]*$)|(?<=\})(?=\/)/);
    expect(place).toBe(join(folder, "bin"));
    expect(JSON.parse(json)).toEqual({
      ServerConfig: {
        ...{ ipAddress: "127.0.0.1", allowAllZeroIpListening: true, httpsEnabled: false, interCommTLSEnabled: false },
        ...{ port: 40123, managementPort: 40123, metricsPort: 40123, kept: 1 },
      },
      BackendConfig: {
        npuDeviceIds: [[0, 1]],
        interNodeTLSEnabled: false,
        ModelDeployConfig: {
          ...{ maxSeqLen: 8192, maxInputTokenLen: 8192 },
          ModelConfig: [
            { modelName: 'my "model"', modelWeightPath: values.model_path, worldSize: 2, backendType: "atb" },
          ],
        },
        ScheduleConfig: { maxBatchSize: 200, maxIterTimes: 8192, maxPrefillTokens: 8192 },
      },
    });
  });

  it("of faster-whisper names the model by a variable", async () => {
    const { folder, env, log } = workshop({ uvicorn: `${record("uvicorn")}\nprintf '%s' "$WHISPER__MODEL" >>"$LOG"` });
    const { exitCode, all } = await start(commandOf("faster-whisper"), folder, env);
    expect(exitCode, all).toBe(0);
    const args = ["--factory", "faster_whisper_server.main:create_app", "--host", "127.0.0.1", "--port", "40123"];
    expect(log()).toBe(`uvicorn\n${args.map((one) => `\t${one}\n`).join("")}${values.model_path}`);
    expect(existsSync(join(folder, "pwned"))).toBe(false);
  });

  it("of Ollama puts the file into the store and goes on until it is ended", async () => {
    const serves = `echo "serve $OLLAMA_HOST" >>"$LOG"; exec sleep 600`;
    const serve = `case $1 in serve) ${serves};; list) grep -qs serve "$LOG"; exit;; esac`;
    const { folder, env, log } = workshop({ ollama: `${serve}\n${record("ollama")}\necho done >>"$LOG"` });
    const running = start(commandOf("ollama"), folder, env);
    const ended = running.then(({ all }) => all);
    await expect.poll(() => (existsSync(env.LOG) ? log() : ""), { timeout: 30_000 }).toContain("done");
    running.kill("SIGTERM");
    await ended;
    expect(log()).toBe(
      `serve 127.0.0.1:40123\nollama\n\tcreate\n\tmy "model"\n\t-f\n\t${join(folder, "Modelfile")}\ndone\n`,
    );
    expect(readFileSync(join(folder, "Modelfile"), "utf8")).toBe(`FROM ${values.model_path}\n`);
    expect(existsSync(join(folder, "pwned"))).toBe(false);
  });

  it("of Ollama fails when the server does", async () => {
    const { folder, env } = workshop({ ollama: "exit 3" });
    const { exitCode } = await start(commandOf("ollama"), folder, env);
    expect(exitCode).toBe(1);
  });
});
