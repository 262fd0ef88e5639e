import { describeSupervisor } from "../contract/supervisor.js";
import { systemdSetting } from "./setting.js";

describeSupervisor("systemd of an unprivileged user", () => systemdSetting("systemd-user"));
