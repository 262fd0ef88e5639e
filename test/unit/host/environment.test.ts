import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { baseEnvironment, connectionFolder, sshEnvironment } from "../../../src/host/environment.js";

const own = { PATH: "/bin", HOME: "/home/ada", LANG: "C.UTF-8" };
const given = { PATH: "/bin", HOME: "/home/ada" };

describe("baseEnvironment", () => {
  it.each([
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_ACCESS_TOKEN",
    "PULUMI_BACKEND_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GITHUB_TOKEN",
    "HF_TOKEN",
    "NPM_TOKEN",
    "BERTH_SECRET_CHAT_KEY",
    "OPENAI_API_KEY",
    "SSH_AUTH_SOCK",
    "NODE_OPTIONS",
    "PYTHONPATH",
    "LD_PRELOAD",
    "MY_HTTP_PROXY",
    "HTTP_PROXY_PASSWORD",
    "PIPX_HOME",
    "",
  ])("does not pass on %s", (variable) => {
    expect(baseEnvironment({ ...given, [variable]: "hunter2" })).toEqual(own);
  });

  it.each([
    "http_proxy",
    "HTTPS_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_INDEX_URL",
    "PIP_CERT",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "TMPDIR",
  ])("passes on %s", (variable) => {
    expect(baseEnvironment({ ...given, [variable]: "value" })).toEqual({ ...own, [variable]: "value" });
  });

  it("has a search path and a home where there are none, and English output whatever the language", () => {
    expect(baseEnvironment({ LANG: "de_DE.UTF-8", LC_ALL: "de_DE.UTF-8" })).toEqual({
      PATH: "/usr/local/bin:/usr/bin:/bin",
      HOME: "/",
      LANG: "C.UTF-8",
    });
  });

  it("passes on nothing else, and no variable that is not set", () => {
    const allowed =
      /^(?:PATH|HOME|LANG|https?_proxy|no_proxy|all_proxy|ssl_cert_(?:file|dir)|(?:requests|curl)_ca_bundle|pip_[a-z_]+|xdg_runtime_dir|dbus_session_bus_address|tmpdir)$/i;
    const name = fc.oneof(fc.string(), fc.constantFrom("TMPDIR", "xTMPDIR", "TMPDIRx", "PIP_A", "PIP_1", "no_proxy\n"));
    fc.assert(
      fc.property(fc.dictionary(name, fc.option(fc.string(), { nil: undefined })), (environment) => {
        const passed = baseEnvironment(environment);
        expect(Object.keys(passed).filter((variable) => !allowed.test(variable))).toEqual([]);
        expect(Object.values(passed)).not.toContain(undefined);
      }),
    );
  });
});

describe("sshEnvironment", () => {
  it("has the agent and no secret", () => {
    const environment = { ...given, SSH_AUTH_SOCK: "/run/agent", AWS_SECRET_ACCESS_KEY: "hunter2", USER: undefined };
    expect(sshEnvironment(environment)).toEqual({ ...given, SSH_AUTH_SOCK: "/run/agent" });
  });
});

describe("connectionFolder", () => {
  it("is the user's own", () => {
    expect(connectionFolder({ XDG_RUNTIME_DIR: "/run/user/1000" }, 1000)).toBe("/run/user/1000/berth-ssh");
    expect(connectionFolder({}, 501)).toBe("/tmp/berth-ssh-501");
    expect(connectionFolder({ XDG_RUNTIME_DIR: "" }, 0)).toBe("/tmp/berth-ssh-0");
  });
});
