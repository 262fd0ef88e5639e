/** What a response brings; undefined when that is more than it may be. */
export async function readWithin(response: Response, mostBytes: number): Promise<Uint8Array | undefined> {
  const reader = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const next = (await reader?.read()) as { done: boolean; value?: Uint8Array } | undefined;
    if (next?.value === undefined) return Buffer.concat(chunks);
    bytes += next.value.length;
    if (bytes > mostBytes) {
      await reader?.cancel();
      return undefined;
    }
    chunks.push(next.value);
  }
}
