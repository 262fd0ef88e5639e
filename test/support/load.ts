/** Asks a completion of an OpenAI endpoint; returns its text. */
export async function complete(endpoint: string): Promise<string> {
  const response = await fetch(`${endpoint}/completions`, { method: "POST", body: "{}" });
  const text = await response.text();
  if (!response.ok) throw new Error(`HTTP ${response.status} ${text}`);
  return (JSON.parse(text) as { choices: [{ text: string }] }).choices[0].text;
}

export interface Load<T> {
  readonly result: T;
  readonly failed: readonly string[];
  /** What was answered, in order, one of several in a row that are equal. */
  readonly answers: readonly string[];
}

/** 20 requests a second while something is done. */
export async function underLoad<T>(endpoint: string, action: () => Promise<T>): Promise<Load<T>> {
  const requests: Promise<string>[] = [];
  const failed: string[] = [];
  const timer = setInterval(() => {
    requests.push(complete(endpoint).catch((error: unknown) => (failed.push(String(error)), "failed")));
  }, 50);
  const result = await action().finally(() => {
    clearInterval(timer);
  });
  const answers = (await Promise.all(requests)).filter((answer, index, all) => answer !== all[index - 1]);
  return { result, failed, answers };
}
