import { spawn } from "node:child_process";

import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { bootstrap, commandScript, quoteWord, shellScript } from "../../../src/host/shell-script.js";

const nonce = "0123456789abcdef0123456789abcdef";

interface Ran {
  stdout: string;
  stderr: string;
}

/** Gives this machine's shell what a host's login shell gets, and closes its input when it is told to. */
async function run(text: string, { input = "", endAfterSeconds }: { input?: string; endAfterSeconds?: number } = {}) {
  const script = Buffer.from(text);
  const child = spawn("/bin/sh", ["-c", bootstrap(script.byteLength)]);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => err.push(bytes));
  child.stdin.on("error", () => undefined);
  child.stdin.write(script);
  child.stdin.write(input);
  if (endAfterSeconds !== undefined) setTimeout(() => child.stdin.end(), endAfterSeconds * 1000);
  await new Promise((resolve) => child.once("close", resolve));
  child.stdin.destroy();
  const ran: Ran = {
    stdout: Buffer.concat(out).toString("utf8"),
    stderr: Buffer.concat(err).toString("utf8"),
  };
  return ran;
}

const command = (argv: string[], changes: Partial<Parameters<typeof commandScript>[0]> = {}) =>
  commandScript({ nonce, argv, env: {}, cwd: undefined, inputBytes: undefined, silenceSeconds: 30, ...changes });

const words = fc.array(
  fc.string({ unit: "binary", maxLength: 30 }).map((text) => text.replaceAll("\0", "")),
  {
    minLength: 1,
    maxLength: 8,
  },
);

describe("bootstrap", () => {
  it("has nothing in its quotes that csh or fish read otherwise than a POSIX shell", () => {
    const [, quoted] = /^exec \/bin\/sh -c '(.*)'$/s.exec(bootstrap(123_456)) ?? [];
    expect(quoted).toMatch(/^[^'\\!\n]+$/);
    expect(quoted).toContain("123456");
  });

  it("has nothing such in its two words when the shell is to be root's", () => {
    const words = /^exec \/bin\/sh -c '(.*)' '(.*)'$/s.exec(bootstrap(123_456, true))?.slice(1) ?? [];
    expect(words).toHaveLength(2);
    for (const quoted of words) expect(quoted).toMatch(/^[^'\\!\n]+$/);
    expect(words[0]).toContain("exec sudo -n -H -u root -- /bin/sh -c");
    expect(bootstrap(123_456)).toBe(`exec /bin/sh -c '${words[1] ?? ""}'`);
  });
});

describe("shellScript", () => {
  it("hands over any words as they are", async () => {
    await fc.assert(
      fc.asyncProperty(words, async (some) => {
        const { stdout, stderr } = await run(shellScript(nonce, 'printf "%s\\0" "$@"', some));
        expect(stdout).toBe(`${nonce}+${some.map((word) => `${word}\0`).join("")}${nonce}-0;`);
        expect(stderr).toBe(`${nonce}+${nonce}-0;`);
      }),
      { numRuns: 20 },
    );
  });

  it("reads what follows it, byte by byte what was announced, and tells the exit code", async () => {
    const input = "žluť\n'\\".repeat(20_000);
    const bytes = Buffer.byteLength(input);
    const { stdout } = await run(shellScript(nonce, `get ${bytes - 10}; echo; get 10 >/dev/null; exit 4`, []), {
      input,
    });
    const text = Buffer.from(input).subarray(0, -10).toString("utf8");
    expect(stdout).toBe(`${nonce}+${text}\n${nonce}-4;`);
  });

  it("does nothing when only a part of it arrives", async () => {
    const text = shellScript(nonce, "echo done", []);
    const child = spawn("/bin/sh", ["-c", bootstrap(Buffer.byteLength(text))]);
    child.stdin.end(text.slice(0, -1));
    const out: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
    await new Promise((resolve) => child.once("close", resolve));
    expect(Buffer.concat(out).toString()).toBe("");
  });
});

describe("commandScript", () => {
  it("runs a command with its arguments, variables and folder, and tells its exit code on both outputs", async () => {
    const env = { A: 'it\'s\n$(id) "b"', B: "" };
    const argv = ["sh", "-c", 'printf "%s|" "$A" "$B" "$PWD" "$1"; echo no >&2; exit 9', "sh", "!x\\ "];
    const { stdout, stderr } = await run(command(argv, { env, cwd: "/" }));
    expect(stdout).toBe(`${nonce}+${env.A}||/|!x\\ |${nonce}-9;`);
    expect(stderr).toBe(`${nonce}+no\n${nonce}-9;`);
  });

  it("gives a command its input and no byte of what comes after", async () => {
    const { stdout } = await run(command(["cat"], { inputBytes: 3 }), { input: "in\n\n\n\n" });
    expect(stdout).toBe(`${nonce}+in\n${nonce}-0;`);
  });

  it("does not begin a command whose input is cut off", async () => {
    const { stdout } = await run(command(["echo", "begun"], { inputBytes: 30 }), { input: "in", endAfterSeconds: 0.1 });
    expect(stdout).toBe("");
  });

  it("ends the command and its children when the input ends", async () => {
    const { stdout } = await run(command(["sh", "-c", "sleep 30 & sleep 30"]), { endAfterSeconds: 0.2 });
    expect(stdout).toBe(`${nonce}+${nonce}-143;`);
  });

  it("ends the command when it hears nothing for too long, and not while it hears something", async () => {
    const silent = await run(command(["sleep", "30"], { silenceSeconds: 1 }));
    expect(silent.stdout).toBe(`${nonce}+${nonce}-143;`);
    const heard = await run(command(["sleep", "0.5"], { silenceSeconds: 5 }), { input: "\n\n" });
    expect(heard.stdout).toBe(`${nonce}+${nonce}-0;`);
  });

  it("lets a child live that outlives its command", async () => {
    const { stdout } = await run(command(["sh", "-c", "(sleep 0.5; echo later) & echo now"]));
    expect(stdout).toBe(`${nonce}+now\n${nonce}-0;later\n`);
  });
});

describe("quoteWord", () => {
  it("quotes once", () => {
    expect(quoteWord("it's")).toBe(`'it'\\''s'`);
  });
});
