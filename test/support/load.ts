/** Asks a completion of an OpenAI endpoint; returns its text. */
export async function complete(endpoint: string, body: object = {}): Promise<string> {
  const response = await fetch(`${endpoint}/completions`, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`HTTP ${response.status} ${text}`);
  return (JSON.parse(text) as { choices: [{ text: string }] }).choices[0].text;
}

export interface Load<T> {
  readonly result: T;
  readonly failed: readonly string[];
  /** How many requests were sent. */
  readonly sent: number;
  /** What was answered, in order, one of several in a row that are equal. */
  readonly answers: readonly string[];
}

export interface LoadOptions {
  readonly body?: object;
  /** Clients that all wait for an answer ask nothing more: a slow engine is not buried in requests. */
  readonly clients?: number;
}

/** 20 requests a second while something is done. */
export async function underLoad<T>(
  endpoint: string,
  action: () => Promise<T>,
  { body = {}, clients = Infinity }: LoadOptions = {},
): Promise<Load<T>> {
  const requests: Promise<string>[] = [];
  const failed: string[] = [];
  let waiting = 0;
  const ask = async () => {
    waiting += 1;
    try {
      return await complete(endpoint, body);
    } catch (error) {
      failed.push(String(error));
      return "failed";
    } finally {
      waiting -= 1;
    }
  };
  const timer = setInterval(() => {
    if (waiting < clients) requests.push(ask());
  }, 50);
  const result = await action().finally(() => {
    clearInterval(timer);
  });
  const answers = (await Promise.all(requests)).filter((answer, index, all) => answer !== all[index - 1]);
  return { result, failed, sent: requests.length, answers };
}
