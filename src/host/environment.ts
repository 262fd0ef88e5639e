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
