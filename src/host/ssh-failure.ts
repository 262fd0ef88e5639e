import { BerthError } from "../lib/errors.js";
import { quoteWord } from "./shell-script.js";
import type { SshTarget } from "./ssh-target.js";

/** Why ssh made no connection, from what it says under the locale C. */
export function loginFailure(target: SshTarget, said: string): BerthError {
  const where = describeTarget(target);
  const detail = said.trim();
  if (/REMOTE HOST IDENTIFICATION HAS CHANGED|host key .*(?:revoked|has changed)/i.test(said)) {
    return new BerthError("host-key-mismatch", {
      where,
      what: "the host's key is not the one that ssh knows",
      expected: "the key in ssh's known_hosts file",
      hint: `find out why it changed; if the host was set up anew, compare its keys and replace the old one: ssh-keygen -R ${knownHostsName(target)}`,
      detail,
    });
  }
  if (/Host key verification failed|No .* host key is known|DNS lookup error/i.test(said)) {
    return new BerthError("host-key-unknown", {
      where,
      what: "ssh does not know the host's key, so nothing tells that it is the right host",
      hint: `connect once yourself and compare the key that is shown: ssh ${commandLine(target)}. Or add what ssh-keyscan tells to known_hosts, after comparing it with the host's own keys`,
      detail,
    });
  }
  if (/Permission denied|Too many authentication failures|no mutual signature|Authentication failed/i.test(said)) {
    return new BerthError("host-login-refused", {
      where,
      what: "the host did not accept the login",
      expected: "a key that the user on the host allows, without a question to answer",
      hint: `try it: ssh -o BatchMode=yes ${commandLine(target)} true. Is the key in the agent (ssh-add -l), and in the host's authorized_keys?`,
      detail,
    });
  }
  return unreachable(target, "the host could not be reached", detail);
}

/** Whether it may be different a moment later. */
export function isPassing(said: string): boolean {
  return /kex_exchange_identification|ssh_exchange_identification|Connection (?:reset|refused|closed)|Broken pipe/i.test(
    said,
  );
}

export function unreachable(target: SshTarget, what: string, detail = ""): BerthError {
  return new BerthError("host-unreachable", {
    where: describeTarget(target),
    what,
    hint: `check that the host is up, and try it: ssh ${commandLine(target)} true`,
    detail,
  });
}

const lost = "the connection was lost before the host told how it ended";

/** What was asked for may have been done or not. */
export function connectionLost(target: SshTarget, detail = ""): BerthError {
  return unreachable(target, lost, detail);
}

export function isConnectionLost(error: unknown): boolean {
  return error instanceof BerthError && error.parts.what === lost;
}

export function tooManySessions(target: SshTarget): BerthError {
  return new BerthError("host-unreachable", {
    where: describeTarget(target),
    what: "the host takes no more sessions",
    hint: "raise MaxSessions in the host's sshd_config, 10 by default, or wait until other runs on it are done",
  });
}

/** The login works, and then `/bin/sh` does not begin. */
export function unsuitableShell(target: SshTarget, exitCode: number, detail: string): BerthError {
  // cmd.exe and PowerShell, of which one is the login shell of Windows' own sshd.
  if (/is not recognized as (?:an internal or external command|the name of a cmdlet|a name of a cmdlet)/.test(detail)) {
    return new BerthError("host-unsuitable", {
      where: describeTarget(target),
      what: "Berth does not run models on this system",
      got: "Windows",
      expected: "Linux or macOS on x86-64 or 64-bit Arm",
      detail,
    });
  }
  return new BerthError("host-unsuitable", {
    where: describeTarget(target),
    what: "commands cannot be run for this user",
    got: `exit code ${exitCode}`,
    expected: "a login shell that runs /bin/sh, with dd, mktemp and the other tools of POSIX",
    hint: `try it: ssh ${commandLine(target)} /bin/sh -c id`,
    detail,
  });
}

const longestSaid = 200;

/** The login works, and then `sudo` does not let it become root; undefined when that is not what is said. */
export function sudoRefusal(target: SshTarget, said: string): BerthError | undefined {
  if (target.sudo !== "nonInteractive" || !/^(?:sudo: |Sorry, |.*sudo: .*not found)/m.test(said)) return undefined;
  return new BerthError("host-sudo-refused", {
    where: describeTarget(target),
    what: "sudo does not make the login root without a question",
    expected: "`sudo -n /bin/sh` to work (`ssh: { sudo: nonInteractive }` in the stack file)",
    hint: mendSudo(target, said),
    // It may repeat the whole command.
    detail: said
      .split("\n")
      .map((line) => line.slice(0, longestSaid))
      .join("\n"),
  });
}

/** The line of sudoers that lets a user become root the way Berth does. */
export function sudoersLine(user: string): string {
  return `${user} ALL=(root) NOPASSWD: /bin/sh`;
}

function mendSudo({ user }: SshTarget, said: string): string {
  if (/not found/.test(said)) return "install sudo on the host, or log in as root and leave `sudo` out";
  const name = user ?? "USER";
  const missing = /must have a tty/.test(said) ? `Defaults:${name} !requiretty` : sudoersLine(name);
  return `on the host, add this line by \`visudo -f /etc/sudoers.d/berth\`: ${missing}`;
}

function describeTarget({ name, address, user, port }: SshTarget): string {
  return `host ${name} (${user === undefined ? "" : `${user}@`}${address}${port === undefined ? "" : `:${port}`})`;
}

function commandLine({ address, user, port, configFile }: SshTarget): string {
  return [
    ...(configFile === undefined ? [] : ["-F", shellWord(configFile)]),
    ...(port === undefined ? [] : ["-p", String(port)]),
    user === undefined ? address : `${user}@${address}`,
  ].join(" ");
}

/** As a person would type it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoteWord(text);
}

function knownHostsName({ address, port }: SshTarget): string {
  return port === undefined || port === 22 ? address : `'[${address}]:${port}'`;
}
