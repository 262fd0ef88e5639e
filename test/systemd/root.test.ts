import { describeSupervisor } from "../contract/supervisor.js";
import { systemdSetting } from "./setting.js";

describeSupervisor("systemd as root", () => systemdSetting("systemd"));
