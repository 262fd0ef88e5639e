/**
 * Whether a file is a web page, by its first bytes as text. Servers and proxies that ask for a login, or know nothing of
 * an address, answer with one and say that all is well.
 */
export function isWebPage(start: string): boolean {
  return /^(?:\uFEFF|\u00EF\u00BB\u00BF)?\s*(?:<\?xml[^>]*>\s*)?<(?:!doctype\s+html|html|head|body|title)\b/i.test(
    start,
  );
}
