import type { Host } from "./host.js";

const toolSeconds = 5;

/**
 * The process that listens on a port, as `python3 (pid 4711)`, where one of the system's tools tells: they name other
 * users' processes to root alone.
 */
export async function findListener(host: Host, port: number): Promise<string | undefined> {
  const tools: [readonly [string, ...string[]], (text: string) => string | undefined][] = [
    [["ss", "-Hltnp", `sport = :${port}`], parseSs],
    [["lsof", "-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"], parseLsof],
  ];
  for (const [argv, parse] of tools) {
    const { exitCode, stdout } = await host.run(argv, { timeoutSeconds: toolSeconds });
    const found = exitCode === 0 ? parse(stdout) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** `LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("python3",pid=4711,fd=6))`; others' processes are left out. */
export function parseSs(text: string): string | undefined {
  const [, name, pid] = /users:\(\("([^"]*)",pid=(\d+)/.exec(text) ?? [];
  return name === undefined || pid === undefined ? undefined : `${name} (pid ${pid})`;
}

/** `p4711` and `cpython3`, on lines of their own. */
export function parseLsof(text: string): string | undefined {
  const [, pid, name] = /^p(\d+)\nc(.*)$/m.exec(text) ?? [];
  return name === undefined || pid === undefined ? undefined : `${name} (pid ${pid})`;
}
