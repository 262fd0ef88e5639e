import type { PinEdges } from "./pin-edges.js";
import type { SignatureEdges } from "./pin-signature.js";

/** What a catalogue leaves unpinned is looked up by these. */
export type LookUps = Pick<PinEdges, "lockPackages" | "fetchReleaseFile" | "askImageDigest"> & SignatureEdges;

/**
 * The same look-ups, each asked once. An index or a release may change between two questions; within one lock equal
 * questions have one answer, whichever deployments ask.
 */
export function askOnce(edges: LookUps): LookUps {
  return {
    lockPackages: once((request) => edges.lockPackages(request)),
    fetchReleaseFile: once((request) => edges.fetchReleaseFile(request)),
    askImageDigest: once((reference) => edges.askImageDigest(reference)),
    readContent: once((file) => edges.readContent(file)),
    fetchSignature: once((url) => edges.fetchSignature(url)),
    askImageSignatures: once((image) => edges.askImageSignatures(image)),
  };
}

function once<Question, Answer>(ask: (question: Question) => Promise<Answer>): (question: Question) => Promise<Answer> {
  const answers = new Map<string, Promise<Answer>>();
  return (question) => {
    const key = JSON.stringify(question);
    const answer = answers.get(key) ?? ask(question);
    answers.set(key, answer);
    return answer;
  };
}
