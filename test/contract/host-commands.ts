import { join } from "node:path";

import { describe, expect, it } from "vitest";

import type { HostSetting } from "./host.js";

const awkward = [
  "",
  " ",
  "a b",
  `'"\\\``,
  "$HOME $(id) `id`",
  "*",
  "~",
  "-n",
  "two\nlines\n",
  "\t",
  "žluť 🐎",
  "%s;&|<>",
];
const long = "x".repeat(100_000);

/** Commands, and the processes they are. */
export function describeCommands(settingOf: () => HostSetting): void {
  describe("run", () => {
    it("hands over arguments verbatim", async () => {
      const { host } = settingOf();
      const args = [...awkward, long];
      const { exitCode, stdout } = await host.run(["printf", "%s\\0", ...args]);
      expect(exitCode).toBe(0);
      expect(stdout.split("\0")).toEqual([...args, ""]);
    });

    it("gives a command the host's small environment and what is asked for, nothing else", async () => {
      const { host, environment } = settingOf();
      const env = { ...Object.fromEntries([...awkward, long].map((text, index) => [`V${index}`, text])), LANG: "C" };
      const { stdout } = await host.run(["env", "-0"], { env });
      const expected = Object.entries({ ...environment, ...env }).map(([name, value]) => `${name}=${value}`);
      expect(stdout.replace(/\0$/, "").split("\0").sort()).toEqual(expected.sort());
    });

    it("tells outputs apart, and a failing command is a result", async () => {
      const { host } = settingOf();
      expect(await host.run(["sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({
        exitCode: 3,
        stdout: "out",
        stderr: "err",
      });
    });

    it("answers 127 for a command that does not exist", async () => {
      expect((await settingOf().host.run(["/no/such/command"])).exitCode).toBe(127);
      expect((await settingOf().host.run(["no-such-command"])).exitCode).toBe(127);
    });

    it("ends a command that runs past its time, and answers 124", async () => {
      const { host, folder } = settingOf();
      const mark = join(folder, "past its time");
      expect(
        (await host.run(["python3", "-c", "import time; time.sleep(100)", mark], { timeoutSeconds: 0.5 })).exitCode,
      ).toBe(124);
      expect(await host.findProcesses([mark])).toEqual([]);
    });

    it("writes the input and closes it; without one there is nothing to read", async () => {
      const { host } = settingOf();
      const input = `${"žluť\n".repeat(300_000)}end`;
      expect((await host.run(["cat"], { input })).stdout).toBe(input);
      expect((await host.run(["cat"])).stdout).toBe("");
      expect((await host.run(["true"], { input })).exitCode).toBe(0);
    });

    it("runs in the folder that is asked for", async () => {
      const { host, folder } = settingOf();
      expect((await host.run(["pwd"], { cwd: folder })).stdout).toBe(folder);
    });

    it("hands on lines while the command runs", async () => {
      const { host, folder } = settingOf();
      const answer = join(folder, "answer");
      const script = 'echo begun; while [ ! -e "$0" ]; do sleep 0.05; done; echo done';
      const lines: string[] = [];
      let written: Promise<void> | undefined;
      const { exitCode } = await host.run(["sh", "-c", script, answer], {
        timeoutSeconds: 30,
        onLine(line) {
          lines.push(line);
          if (line === "begun") written = host.writeFile(answer, "");
        },
      });
      await written;
      expect(exitCode).toBe(0);
      expect(lines).toEqual(["begun", "done"]);
    });

    it("hands on every line, and keeps the last 1000 of them", async () => {
      const lines: string[] = [];
      const { stdout } = await settingOf().host.run(["seq", "5000"], { onLine: (line) => lines.push(line) });
      const all = Array.from({ length: 5000 }, (_, index) => String(index + 1));
      expect(lines).toEqual(all);
      expect(stdout.split("\n")).toEqual(all.slice(-1000));
    });

    it.each(["while it runs", "before it begins"])(
      "ends a command when the signal aborts %s, and throws the reason",
      async (when) => {
        const { host, folder } = settingOf();
        const mark = join(folder, `aborted ${when}`);
        const controller = new AbortController();
        const reason = new Error("not wanted any more");
        if (when === "before it begins") controller.abort(reason);
        const run = host.run(["python3", "-uc", "import time; print(); time.sleep(100)", mark], {
          signal: controller.signal,
          onLine: () => controller.abort(reason),
        });
        await expect(run).rejects.toBe(reason);
        await expect.poll(() => host.findProcesses([mark])).toEqual([]);
      },
    );

    describe.each([
      { child: "ends when it is asked to", prepare: "" },
      { child: "does not end when it is asked to", prepare: "signal.signal(signal.SIGTERM, signal.SIG_IGN);" },
    ])("of a command whose child $child", ({ child, prepare }) => {
      const program = `import signal, time; ${prepare} print(flush=True); time.sleep(1000)`;
      const script = 'python3 -c "$0" "$1" & wait';

      it("leaves no process when the signal aborts", async () => {
        const { host, folder } = settingOf();
        const mark = join(folder, `aborted: ${child}`);
        const controller = new AbortController();
        const reason = new Error("not wanted any more");
        const run = host.run(["sh", "-c", script, program, mark], {
          signal: controller.signal,
          onLine: () => controller.abort(reason),
        });
        await expect(run).rejects.toBe(reason);
        await expect.poll(() => host.findProcesses([mark])).toEqual([]);
      });

      it("leaves no process when it runs past its time", async () => {
        const { host, folder } = settingOf();
        const mark = join(folder, `past its time: ${child}`);
        expect((await host.run(["sh", "-c", script, program, mark], { timeoutSeconds: 2 })).exitCode).toBe(124);
        await expect.poll(() => host.findProcesses([mark])).toEqual([]);
      });
    });
  });

  describe("findProcesses", () => {
    it("finds a process by arguments in a row, whole ones in their order, until it has ended", async () => {
      const { host, folder } = settingOf();
      const mark = join(folder, "mark");
      const controller = new AbortController();
      // Not by a name on PATH: what stands there may be a script, which has processes of its own with these arguments.
      const sleep = "setTimeout(() => {}, 100_000)";
      const run = host.run([process.execPath, "--eval", sleep, "--", "--one", mark, "three"], {
        signal: controller.signal,
      });
      await expect.poll(() => host.findProcesses(["--one", mark])).toEqual([expect.any(Number)]);
      const found = await host.findProcesses([mark]);
      expect(await host.findProcesses([mark, "three"])).toEqual(found);
      expect(await host.findProcesses(["--one", mark, "three"])).toEqual(found);
      for (const others of [
        ["three", mark],
        [mark.slice(0, -1)],
        [mark, "thre"],
        [`x${mark}`],
        ["--one", "three", mark],
      ])
        expect(await host.findProcesses(others), others.join(" ")).toEqual([]);
      controller.abort(new Error("enough"));
      await expect(run).rejects.toThrow("enough");
      await expect.poll(() => host.findProcesses([mark])).toEqual([]);
    });
  });
}
