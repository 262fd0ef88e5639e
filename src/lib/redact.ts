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
      const bytes = Buffer.from(form, "utf8");
      // By way of its bytes, because encodeURIComponent throws for half a surrogate pair.
      forms.add(encodeURIComponent(bytes.toString("utf8")));
      forms.add(bytes.toString("base64"));
    }
  }
  return (text) =>
    mask(
      text,
      [...forms].flatMap((form) => findAll(text, form)),
    );
}

type Span = readonly [from: number, to: number];

/** Every occurrence, also those that overlap. */
function findAll(text: string, form: string): Span[] {
  const spans: Span[] = [];
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) spans.push([at, at + form.length]);
  return spans;
}

/** Spans that overlap count as one: no letter of any of them is left. */
function mask(text: string, spans: readonly Span[]): string {
  let masked = "";
  let end = 0;
  for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
    if (from >= end) masked += `${text.slice(end, from)}[secret]`;
    end = Math.max(end, to);
  }
  return masked + text.slice(end);
}
