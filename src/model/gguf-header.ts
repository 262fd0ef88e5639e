/**
 * What stands before the weights of a GGUF file: metadata and the list of tensors (ggml's docs/gguf.md). Vocabularies
 * are most of it, hundreds of thousands of texts that nobody here wants. They are passed over and only counted, which
 * takes a hundredth of the time of making a string of each (docs/decisions/0016-memory-estimates.md).
 */
import { bytesOf, ggufType } from "./gguf-types.js";
import { GgufWindow, isScalarType, mostTextBytes, scalarBytes, type ReadBytes } from "./gguf-window.js";

export type GgufValue = string | number | boolean | readonly (string | number | boolean)[];

export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Name of the type, such as `q4_k`. */
  readonly type: string;
  readonly bytes: number;
}

export interface GgufHeader {
  /** Values by key; long arrays are left out. */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** Lengths of all arrays, by key. */
  readonly arrayLengths: ReadonlyMap<string, number>;
  readonly tensors: readonly GgufTensor[];
  /** Bytes before the weights. */
  readonly headerBytes: number;
}

/** Limits of what a file may say of itself; files of models stay far below them. */
const mostPairs = 100_000;
const mostTensors = 1_000_000;
const mostElements = 10_000_000;
const mostKept = 4096;
const mostDimensions = 4;
const mostDepth = 4;
const mostHeaderBytes = 256 * 2 ** 20;

/** So much is asked for at once: few requests where the file is far, little too much where it is near. */
const pieceBytes = 2 ** 20;

/**
 * Reads the header, from its beginning on, a range after the other.
 *
 * @throws BerthError `model-unavailable` when it is damaged, or has what this version of Berth does not know
 */
export async function readGgufHeader(read: ReadBytes, where: string, atOnce = pieceBytes): Promise<GgufHeader> {
  const window = new GgufWindow(where);
  const parsing = parse(window);
  for (let step = parsing.next(); ; step = parsing.next()) {
    if (step.done === true) return step.value;
    if (window.at + step.value > mostHeaderBytes) throw window.damaged("more than 256 MiB before the weights");
    const bytes = await read(window.at, Math.max(step.value, atOnce));
    if (bytes.byteLength < step.value)
      throw window.damaged(`the file ends after ${window.at + bytes.byteLength} bytes`);
    window.place(bytes);
  }
}

/** Stops wherever bytes are lacking, with how many it needs from the window's place on. */
type Parsing<T> = Generator<number, T, void>;

function* parse(window: GgufWindow): Parsing<GgufHeader> {
  yield* need(window, 24);
  if (window.text(4) !== "GGUF") throw window.damaged("another beginning", "GGUF");
  const version = window.uint32();
  if (version !== 2 && version !== 3) throw window.damaged(`version ${version}`, "version 2 or 3, little-endian");
  const tensorCount = window.count(mostTensors, "tensors");
  const pairs = window.count(mostPairs, "pairs of metadata");
  const metadata = new Map<string, GgufValue>();
  const arrayLengths = new Map<string, number>();
  for (let pair = 0; pair < pairs; pair++) {
    const key = yield* parseText(window);
    yield* need(window, 4);
    const { value, length } = yield* parseValue(window, window.uint32(), 0);
    if (value !== undefined) metadata.set(key, value);
    if (length !== undefined) arrayLengths.set(key, length);
  }
  const tensors: GgufTensor[] = [];
  for (let index = 0; index < tensorCount; index++) tensors.push(yield* parseTensor(window));
  return { metadata, arrayLengths, tensors, headerBytes: window.at };
}

function* need(window: GgufWindow, bytes: number): Parsing<void> {
  if (window.lacks(bytes)) yield bytes;
}

function* parseText(window: GgufWindow): Parsing<string> {
  yield* need(window, 8);
  const bytes = window.count(mostTextBytes, "bytes of a text");
  yield* need(window, bytes);
  return window.text(bytes);
}

interface Parsed {
  readonly value?: GgufValue;
  readonly length?: number;
}

const textType = 8;
const arrayType = 9;

function* parseValue(window: GgufWindow, type: number, depth: number): Parsing<Parsed> {
  if (type === textType) return { value: yield* parseText(window) };
  if (type === arrayType) return yield* parseArray(window, depth);
  if (!isScalarType(type)) throw window.damaged(`a value of type ${type}`);
  yield* need(window, scalarBytes[type]);
  return { value: window.scalar(type) };
}

/** Short arrays of numbers tell of each layer; the others are passed over. */
function* parseArray(window: GgufWindow, depth: number): Parsing<Parsed> {
  if (depth > mostDepth) throw window.damaged("arrays within arrays");
  yield* need(window, 12);
  const type = window.uint32();
  const length = window.count(mostElements, "elements of an array");
  if (type === textType) {
    yield* passTexts(window, length);
    return { length };
  }
  if (!isScalarType(type)) {
    for (let index = 0; index < length; index++) yield* parseValue(window, type, depth + 1);
    return { length };
  }
  if (length > mostKept) {
    window.at += length * scalarBytes[type];
    return { length };
  }
  yield* need(window, length * scalarBytes[type]);
  return { length, value: Array.from({ length }, () => window.scalar(type)) };
}

function* passTexts(window: GgufWindow, count: number): Parsing<void> {
  for (let left = count; left > 0;) {
    const passed = window.passTexts(left);
    left -= passed;
    if (passed > 0 || left === 0) continue;
    yield* need(window, 8);
    const bytes = window.count(mostTextBytes, "bytes of a text");
    window.at -= 8;
    yield* need(window, 8 + bytes);
  }
}

function* parseTensor(window: GgufWindow): Parsing<GgufTensor> {
  const name = yield* parseText(window);
  yield* need(window, 4);
  const dimensions = window.uint32();
  if (dimensions > mostDimensions) throw window.damaged(`${name} has ${dimensions} dimensions`);
  yield* need(window, dimensions * 8 + 12);
  const shape = Array.from({ length: dimensions }, () => window.count(2 ** 40, `weights of ${name}`));
  const number = window.uint32();
  window.at += 8;
  const type = ggufType(number);
  if (type === undefined) throw window.damaged(`${name} is of type ${number}`, "a type that this Berth knows");
  const weights = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(weights)) throw window.damaged(`${name} has ${weights} weights`);
  return { name, shape, type: type.name, bytes: bytesOf(weights, type) };
}
