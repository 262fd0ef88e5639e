/** What supervisord is told in its files, and where they lie. Pure. */
import { posix } from "node:path";

import { dataPaths } from "../host/paths.js";
import { execPath, outputPath } from "./runner-files.js";
import { socketFolder } from "./socket-path.js";
import type { RunnerDefinition } from "./supervisor.js";

const socketName = "supervisor.sock";
/** Of quotes and comments in its configuration, and of the pattern by which it finds its programs. */
const unfitCharacters = /["\\;#[\]\u0000-\u001f\u007f]/;

export interface SupervisordPaths {
  readonly folder: string;
  /** One file for each runner, `<id>.conf`. */
  readonly programs: string;
  readonly configuration: string;
  readonly log: string;
  readonly socketFolder: string;
  readonly socket: string;
  /** Holds the path of the `bin` folder from which supervisord was started. */
  readonly bin: string;
}

export function supervisordPaths(dataDir: string): SupervisordPaths {
  const folder = dataPaths(dataDir).supervisor;
  const ofSocket = socketFolder(folder, socketName);
  return {
    folder,
    programs: posix.join(folder, "programs"),
    configuration: posix.join(folder, "supervisord.conf"),
    log: posix.join(folder, "supervisord.log"),
    socketFolder: ofSocket,
    socket: posix.join(ofSocket, socketName),
    bin: posix.join(folder, "bin"),
  };
}

export function programPath({ programs }: SupervisordPaths, id: string): string {
  return posix.join(programs, `${id}.conf`);
}

/** Whether supervisord can keep its files in a data directory of this path. */
export function isFit(dataDir: string): boolean {
  return !unfitCharacters.test(dataDir);
}

export function supervisordConfiguration({ folder, log, socket }: SupervisordPaths): string {
  return section("unix_http_server", { file: socket, chmod: "0700" }).concat(
    section("supervisord", {
      logfile: log,
      logfile_maxbytes: "0",
      pidfile: posix.join(folder, "supervisord.pid"),
      childlogdir: folder,
      identifier: "berth",
    }),
    section("rpcinterface:supervisor", {
      "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
    }),
    section("supervisorctl", { serverurl: `unix://${socket}` }),
    section("include", { files: "programs/*.conf" }),
  );
}

/** A runner's file; `launcher` are the words that run `exec.py`. */
export function programConfiguration(
  spec: RunnerDefinition,
  launcher: readonly string[],
  { autostart }: { autostart: boolean },
): string {
  return section(`program:${spec.id}`, {
    command: [...launcher, execPath(spec.folder)].map((word) => `"${word}"`).join(" "),
    directory: spec.folder,
    autostart: String(autostart),
    autorestart: "true",
    // A runner that ends before it can be healthy counts as not started; after `startretries` of these
    // supervisord gives up, and later it never does. It looks once a second, so it sees an end that much late.
    startsecs: String(Math.ceil(spec.startSeconds) + 1),
    startretries: "3",
    stopsignal: "TERM",
    stopwaitsecs: String(Math.max(1, Math.ceil(spec.stopSeconds))),
    stopasgroup: "true",
    killasgroup: "true",
    redirect_stderr: "true",
    // supervisord expands this value twice.
    stdout_logfile: outputPath(spec.folder).replaceAll("%", "%%"),
    stdout_logfile_maxbytes: "50MB",
    stdout_logfile_backups: "2",
  });
}

/** What a runner's file says of the runner; undefined when it is not one. */
export function parseProgram(text: string): Pick<RunnerDefinition, "folder" | "stopSeconds"> | undefined {
  const folder = /^directory = (.*)$/m.exec(text)?.[1]?.replaceAll("%%", "%");
  const stopSeconds = Number(/^stopwaitsecs = (\d+)$/m.exec(text)?.[1] ?? 0);
  return folder === undefined ? undefined : { folder, stopSeconds };
}

/** One section of supervisord's configuration; `%` begins an expansion there and is doubled. */
function section(title: string, values: Record<string, string>): string {
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${value.replaceAll("%", "%%")}`);
  return `[${title}]\n${lines.join("\n")}\n\n`;
}
