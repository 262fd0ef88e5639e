/** Where downloads come from, in the names by which their speed is remembered. Pure. */
import { fileAddress } from "../model/repository.js";
import type { LockedOrigin } from "../schema/model.js";
import { registryOf } from "./image-mirror.js";
import { releaseAddress } from "./release-address.js";

/** `files.example.net:8443` */
export function releaseOrigin(url: string, downloadBaseUrl: string | undefined): string {
  return new URL(releaseAddress(url, downloadBaseUrl)).host;
}

/** That of an index, or whichever the host's own pip is set up with. */
export function indexOrigin(indexUrl: string | undefined): string {
  return indexUrl === undefined ? "the package index" : new URL(indexUrl).host;
}

/** The registry that an image is pulled from. */
export function imageOrigin(from: string): string {
  return registryOf(from);
}

/** Undefined for a file that is on the host already. `hubEndpoint` is the mirror for models that name none. */
export function modelOrigin(
  from: LockedOrigin,
  { indexUrl, hubEndpoint }: { readonly indexUrl?: string | undefined; readonly hubEndpoint?: string | undefined },
): string | undefined {
  switch (from.source) {
    case "file":
      return undefined;
    case "wheels":
      return indexOrigin(indexUrl);
    case "url":
      return new URL(from.url).host;
    case "huggingface":
      return new URL(fileAddress({ ...from, endpoint: from.endpoint ?? hubEndpoint }, "")).host;
  }
}
