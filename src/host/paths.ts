import { posix, win32 } from "node:path";

/**
 * Where everything lies below a host's data directory. Nothing of Berth lies elsewhere on a host, but for the links
 * by which systemd finds its units.
 */
export interface DataPaths {
  readonly root: string;
  /** Marks the folder as Berth's. */
  readonly marker: string;
  readonly lock: string;
  /** One file for each resource on the host: whose it is, and the open operation if there is one. */
  readonly journal: string;
  /** One file for each port and device that an instance has, or is about to have. */
  readonly claims: string;
  /** Executables as `<backend>_<version>`. */
  readonly bin: string;
  readonly backends: string;
  /** One file for each container image: what of it is in the host's engine by Berth's doing. */
  readonly images: string;
  readonly models: string;
  readonly instances: string;
  /** One folder for each stack's gateway. */
  readonly gateways: string;
  /** Python environments and scripts that Berth needs for itself. */
  readonly tools: string;
  readonly supervisor: string;
  readonly systemd: string;
  /** One file for each container: how it was made. */
  readonly containers: string;
  /** Downloads that may be deleted at any time. */
  readonly cache: string;
}

export function dataPaths(dataDir: string): DataPaths {
  const below = (name: string) => posix.join(dataDir, name);
  return {
    root: dataDir,
    marker: below("berth.json"),
    lock: below("lock.json"),
    journal: below("journal"),
    claims: below("claims"),
    bin: below("bin"),
    backends: below("backends"),
    images: below("images"),
    models: below("models"),
    instances: below("instances"),
    gateways: below("gateways"),
    tools: below("tools"),
    supervisor: below("supervisor"),
    systemd: below("systemd"),
    containers: below("containers"),
    cache: below("cache"),
  };
}

/** The names below a data directory that are Berth's. */
export function ownNames(): ReadonlySet<string> {
  const { root: _, ...own } = dataPaths("/");
  return new Set(Object.values(own).map((path) => posix.basename(path)));
}

export type OperatingSystem = "linux" | "darwin" | "windows";

/** `<backend>_<version>`, on Windows with `.exe`: the name under which an executable stands in `bin`. */
export function executableName(backend: string, version: string, os: OperatingSystem = "linux"): string {
  return `${backend}_${version}${os === "windows" ? ".exe" : ""}`;
}

/** Whom the bin directory is for. Root is nobody on Windows; `appData` is `%AppData%` there. */
export interface BinDirOwner {
  readonly root: boolean;
  readonly home: string;
  readonly appData?: string | undefined;
}

/** Where executables stand by the custom of the system, when no `binDir` says otherwise. */
export function defaultBinDir(os: OperatingSystem, { root, home, appData }: BinDirOwner): string {
  if (os === "windows") return win32.join(appData ?? win32.join(home, "AppData", "Roaming"), "berth", "bin");
  return root ? "/var/lib/berth/bin" : posix.join(home, ".local/share/berth/bin");
}

/** Where a host's executables are: in the data directory, unless the host has a folder of its own for them. */
export interface BinPlace {
  readonly dataDir: string;
  readonly binDir?: string | undefined;
}

export function binFolder({ dataDir, binDir }: BinPlace): string {
  return binDir ?? dataPaths(dataDir).bin;
}

export function executablePath(place: BinPlace, backend: string, version: string): string {
  return posix.join(binFolder(place), executableName(backend, version));
}

/** Everything of one installed backend version. */
export function backendFolder(dataDir: string, backend: string, version: string): string {
  return posix.join(dataPaths(dataDir).backends, executableName(backend, version));
}

/** Where a model's file lies: by content, so that deployments share it. */
export function modelPath(dataDir: string, sha256: string, file: string): string {
  return posix.join(dataPaths(dataDir).models, sha256, file);
}
