/** Replaces every known secret in a text with `[secret]`. */
export type Redact = (text: string) => string;

const shortestLine = 8;

/**
 * A redactor for the given secrets, in the forms in which they reach logs: as they are, JSON-escaped, URL-encoded,
 * base64, and each longer line of a secret that has several.
 */
export function createRedact(secrets: Iterable<string>): Redact {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret === "") continue;
    const lines = secret.split(/\r?\n/).filter((line) => line.length >= shortestLine);
    for (const form of [secret, ...lines]) {
      forms.add(form);
      forms.add(JSON.stringify(form).slice(1, -1));
      forms.add(encodeURIComponent(form));
      forms.add(Buffer.from(form, "utf8").toString("base64"));
    }
  }
  const longestFirst = [...forms].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((redacted, form) => redacted.replaceAll(form, "[secret]"), text);
}
