/** Asks a completion of an OpenAI endpoint; returns its text. */
export async function complete(endpoint: string, body: object = {}): Promise<string> {
  const { choices } = await ask<{ choices: [{ text: string }] }>(endpoint, body);
  return choices[0].text;
}

/** As {@link complete}, of a llama-server; returns which build answered, as `b11435`. */
export async function completeBy(endpoint: string, body: object): Promise<string> {
  const { system_fingerprint } = await ask<{ system_fingerprint: string }>(endpoint, body);
  return /^b\d+/.exec(system_fingerprint)?.[0] ?? system_fingerprint;
}

async function ask<T>(endpoint: string, body: object): Promise<T> {
  const response = await fetch(`${endpoint}/completions`, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`HTTP ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

export interface Load<T> {
  readonly result: T;
  readonly failed: readonly string[];
  /** How many requests were sent. */
  readonly sent: number;
  /** For how long they were sent. */
  readonly seconds: number;
  /** What was answered, in order, one of several in a row that are equal. */
  readonly answers: readonly string[];
}

const millisecondsBetween = 50;

/** 20 requests a second while something is done. They are sent by the clock, whether those before are answered or not. */
export async function underLoad<T>(
  endpoint: string,
  action: () => Promise<T>,
  request: (endpoint: string) => Promise<string> = complete,
): Promise<Load<T>> {
  const requests: Promise<string>[] = [];
  const failed: string[] = [];
  const begun = performance.now();
  const timer = setInterval(() => {
    // A timer that comes late has several to send.
    const due = Math.floor((performance.now() - begun) / millisecondsBetween);
    while (requests.length < due) {
      const answer = request(endpoint).catch((error: unknown) => {
        failed.push(String(error));
        return "failed";
      });
      requests.push(answer);
    }
  }, millisecondsBetween);
  const result = await action().finally(() => {
    clearInterval(timer);
  });
  const seconds = (performance.now() - begun) / 1000;
  const answers = (await Promise.all(requests)).filter((answer, index, all) => answer !== all[index - 1]);
  return { result, failed, sent: requests.length, seconds, answers };
}
