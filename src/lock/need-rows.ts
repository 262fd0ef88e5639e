/** What a lock needs, one line for each thing, for people and programs. Pure. */
import { indexOrigin } from "../catalog/origins.js";
import { describeOrigin } from "../model/origin-text.js";
import { fileAddress, filesOf } from "../model/repository.js";
import type { ImageNeed, ModelNeed, Needs } from "./needs.js";

export interface ImageRow {
  readonly kind: "image";
  readonly name: string;
  /** Of the image, or of its index. */
  readonly digest: string;
  /** By platform: the digest of its image, and what its layers have, packed, where the lock tells. */
  readonly platforms: NonNullable<ImageNeed["platforms"]>;
  /** Where it is pulled from. */
  readonly from: string;
  readonly of: string;
  readonly hosts: readonly string[];
}

export interface FileRow {
  readonly kind: "archive" | "requirements" | "wheel" | "launcher" | "model" | "executable";
  readonly name: string;
  /** The file's; of a wheel those of all its version's files, of which each Python has its own; none if it is not pinned. */
  readonly sha256s: readonly string[];
  /** Undefined where nobody has told. */
  readonly sizeBytes?: number | undefined;
  /** An address, or in words. */
  readonly from: string;
  readonly of: string;
  readonly hosts: readonly string[];
}

export function imageRows({ images }: Pick<Needs, "images">): ImageRow[] {
  return images.map(({ reference, digest, platforms = {}, from, of, hosts }) => {
    return { kind: "image", name: reference, digest, platforms, from, of, hosts: namesOf(hosts) };
  });
}

/** Everything but images. */
export function fileRows(needs: Needs): FileRow[] {
  return [
    ...needs.archives.map(({ url, sha256, sizeBytes, of, hosts }): FileRow => {
      const name = withoutQuery(url).replace(/^.*\//s, "");
      return {
        kind: "archive",
        name,
        sha256s: [sha256],
        sizeBytes,
        from: withoutQuery(url),
        of,
        hosts: namesOf(hosts),
      };
    }),
    ...needs.packages.flatMap(packageRows),
    ...needs.models.flatMap(modelRows),
    ...needs.executables.map(({ sha256, of, hosts }): FileRow => {
      const sha256s = sha256 === undefined ? [] : [sha256];
      return { kind: "executable", name: of, sha256s, from: byHand, of, hosts: namesOf(hosts) };
    }),
  ];
}

const byHand = "on the host, put there by hand";

function packageRows(need: Needs["packages"][number]): FileRow[] {
  const { tool, requirements, launcher, pins = [], indexUrl, of, hosts } = need;
  const common = { of, hosts: namesOf(hosts) };
  const own = [
    ...(tool === undefined ? [{ kind: "requirements" as const, ...requirements }] : []),
    ...(launcher === undefined ? [] : [{ kind: "launcher" as const, ...launcher }]),
  ];
  return [
    ...own.map(({ kind, file, sha256 }) => ({ kind, name: file, sha256s: [sha256], from: "the project", ...common })),
    ...pins.map(({ name, version, sha256s }): FileRow => {
      return { kind: "wheel", name: `${name}==${version}`, sha256s, from: indexOrigin(indexUrl), ...common };
    }),
  ];
}

function modelRows({ model, of, hosts }: ModelNeed): FileRow[] {
  const { from } = model;
  return filesOf(model).map(({ path, sha256, sizeBytes }): FileRow => {
    const address = from.source === "huggingface" ? fileAddress(from, path) : describeOrigin(from);
    const where = from.source === "file" ? `${byHand}: ${from.path}` : address;
    return { kind: "model", name: path, sha256s: [sha256], sizeBytes, from: where, of, hosts: namesOf(hosts) };
  });
}

/** A query may hold what is nobody's business. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, "");
}

function namesOf(hosts: readonly { readonly name: string }[]): string[] {
  return hosts.map(({ name }) => name);
}
