/**
 * Where a release's file is downloaded from: its own address, or with a mirror the same path below the mirror's. A
 * mirror of `https://github.com` is thus `https://files.example.net/tools`, with the folders of GitHub below it.
 */
export function releaseAddress(url: string, downloadBaseUrl: string | undefined): string {
  if (downloadBaseUrl === undefined) return url;
  const { pathname, search } = new URL(url);
  return `${downloadBaseUrl.replace(/\/+$/, "")}${pathname}${search}`;
}
