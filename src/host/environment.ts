import type { BaseEnvironment } from "./local.js";

/**
 * What commands on this machine get of the process environment: where programs and the home are, how the network and
 * its certificates are reached, and pip's own settings. Never a secret of Pulumi or of a cloud.
 */
const passedOn =
  /^(?:https?_proxy|no_proxy|all_proxy|ssl_cert_file|ssl_cert_dir|requests_ca_bundle|curl_ca_bundle|pip_[a-z_]+|xdg_runtime_dir|dbus_session_bus_address|tmpdir)$/i;

export function baseEnvironment(environment: Readonly<Record<string, string | undefined>>): BaseEnvironment {
  const chosen = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && passedOn.test(entry[0]),
  );
  return {
    ...Object.fromEntries(chosen),
    PATH: environment.PATH ?? "/usr/local/bin:/usr/bin:/bin",
    HOME: environment.HOME ?? "/",
    LANG: "C.UTF-8",
  };
}

/** What `ssh` itself needs: its agent, Kerberos' tickets, and what commands of a person's configuration may use. */
const forSsh = ["PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "KRB5CCNAME", "TMPDIR"];

export function sshEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    forSsh.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Where this user's connections over ssh have their sockets. Systems' folders for a user's session are the shortest. */
export function connectionFolder(environment: Readonly<Record<string, string | undefined>>, uid: number): string {
  const { XDG_RUNTIME_DIR: folder } = environment;
  return folder === undefined || folder === "" ? `/tmp/berth-ssh-${uid}` : `${folder}/berth-ssh`;
}
