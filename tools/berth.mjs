#!/usr/bin/env node
// The command `berth`. It is there before the first build too, because npx keeps what it has found once.
import { existsSync } from "node:fs";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  console.error("error: berth is not built yet\n  to do: run `npm ci && npm run build`, or `npm run quickstart`");
  process.exitCode = 1;
}
