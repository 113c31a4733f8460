/**
 * Charsets of one to four bytes a character (WHATWG Encoding §9–§14), by tables that are made of what `TextDecoder` says: once
 * for each charset that is written, or read where something in it is no text, in some milliseconds.
 * @module
 */
import { type Charset, ESCAPE, escapedByte } from "./charset_units.ts";

const LINE_FEED = 0x0a, REPLACEMENT = "\ufffd";
/** GB 18030 (§10.2.1): where sequences of four bytes follow the code points from U+10000 on. */
const FIRST_ASTRAL = 0x90308130;

type Sequence = readonly number[];
type Use = (character: string, sequence: Sequence) => void;

/** A charset that maps sequences of bytes to characters. */
export class TableCharset implements Charset {
  readonly name: string;
  #made: Tables | null = null;

  constructor(name: string) {
    this.name = name;
  }

  decode(bytes: Uint8Array): string {
    try {
      return new TextDecoder(this.name, { fatal: true }).decode(bytes);
    } catch {
      let text = "";
      this.#tables.read(bytes, (character) => text += character);
      return text;
    }
  }

  encode(text: string, before: Uint8Array): Uint8Array | null {
    const tables = this.#tables, spelled = tables.spellings(before);
    const bytes: number[] = [];
    for (const character of text) {
      const sequence = spelled.get(character) ?? tables.sequenceOf(character);
      if (sequence === null) return null;
      for (const byte of sequence) bytes.push(byte);
    }
    return Uint8Array.from(bytes);
  }

  get #tables(): Tables {
    return this.#made ??= new Tables(this.name);
  }
}

class Tables {
  /** By the sequence as one number, its first byte foremost. */
  readonly #decoded = new Map<number, string>();
  readonly #encoded = new Map<string, Sequence>();
  /** GBK is read as GB 18030 is (§10.1.1), and has nothing of four bytes when it is written. */
  readonly #isGb: boolean;
  readonly #isGb18030: boolean;
  readonly #longest: number;

  constructor(name: string) {
    this.#isGb18030 = name === "gb18030";
    this.#isGb = this.#isGb18030 || name === "gbk";
    this.#longest = this.#isGb ? 4 : name === "euc-jp" ? 3 : 2;
    for (let byte = 0; byte < 256; byte++) this.#add([byte], decodeOne(name, byte));
    const leads = range(0x81, 0xfe).filter((byte) => !this.#decoded.has(byte));
    // Big5's leads below 0xa1 are an extension: what is in both is written as everybody knows it.
    if (name === "big5") this.#addAll(name, [range(0xa1, 0xfe), range(0x40, 0xfe)]);
    this.#addAll(name, [leads, range(0x40, 0xfe)]);
    if (name === "euc-jp") this.#addAll(name, [[0x8f], range(0xa1, 0xfe), range(0xa1, 0xfe)]);
    if (this.#isGb) {
      this.#addAll(name, [range(0x81, 0x84), range(0x30, 0x39), range(0x81, 0xfe), range(0x30, 0x39)]);
    }
  }

  /** Every character of `bytes` with its sequence; bytes that are no text one by one, as their escapes. */
  read(bytes: Uint8Array, use: Use): void {
    for (let at = 0; at < bytes.length;) {
      let key = 0, length = 0, character: string | undefined;
      while (character === undefined && length < this.#longest && at + length < bytes.length) {
        key = key * 256 + bytes[at + length++];
        character = this.#decoded.get(key);
        if (character === undefined && length === 4) character = astral(key);
      }
      if (character === undefined) use(String.fromCharCode(ESCAPE | bytes[at]), [bytes[at++]]);
      else {
        use(character, [...bytes.subarray(at, at + length)]);
        at += length;
      }
    }
  }

  /** Characters that `bytes` spell in another way than {@linkcode sequenceOf} does. */
  spellings(bytes: Uint8Array): Map<string, Sequence> {
    const spelled = new Map<string, Sequence>();
    this.read(bytes, (character, sequence) => {
      const usual = this.sequenceOf(character);
      const isUsual = usual?.length === sequence.length && usual.every((byte, i) => byte === sequence[i]);
      if (!isUsual) spelled.set(character, sequence);
    });
    return spelled;
  }

  /** The bytes of a character; null when there are none. */
  sequenceOf(character: string): Sequence | null {
    const sequence = this.#encoded.get(character);
    if (sequence !== undefined) return sequence;
    const point = character.codePointAt(0)!, byte = escapedByte(point);
    if (byte !== -1) return [byte];
    return this.#isGb18030 && point > 0xffff ? sequenceOfAstral(point) : null;
  }

  #add(sequence: Sequence, character: string | null): void {
    if (character === null || character.includes(REPLACEMENT)) return;
    this.#decoded.set(sequence.reduce((key, byte) => key * 256 + byte, 0), character);
    // GB 18030 reads 0x80 as the euro sign, and has another place for it.
    const isOnlyRead = this.#isGb && sequence[0] === 0x80 || sequence.length === 4 && !this.#isGb18030;
    if (!isOnlyRead && !this.#encoded.has(character)) this.#encoded.set(character, sequence);
  }

  /** All sequences of these bytes that are characters. Behind each is a line feed, which ends what is none. */
  #addAll(name: string, places: readonly (readonly number[])[]): void {
    const sequences = places.reduce<Sequence[]>(
      (before, bytes) => before.flatMap((sequence) => bytes.map((byte) => [...sequence, byte])),
      [[]],
    );
    const text = Uint8Array.from(sequences.flatMap((sequence) => [...sequence, LINE_FEED]));
    const characters = new TextDecoder(name).decode(text).split("\n");
    sequences.forEach((sequence, i) => this.#add(sequence, characters[i]));
  }
}

function decodeOne(name: string, byte: number): string | null {
  try {
    return new TextDecoder(name, { fatal: true, ignoreBOM: true }).decode(Uint8Array.of(byte));
  } catch {
    return null;
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** How many sequences of four bytes are before this one, from 0x81308130 on. */
function indexOf(key: number): number {
  const [a, b, c, d] = [key >>> 24, key >>> 16 & 0xff, key >>> 8 & 0xff, key & 0xff];
  if (b < 0x30 || b > 0x39 || c < 0x81 || c > 0xfe || d < 0x30 || d > 0x39) return NaN;
  return (((a - 0x81) * 10 + b - 0x30) * 126 + c - 0x81) * 10 + d - 0x30;
}

const FIRST_ASTRAL_INDEX = indexOf(FIRST_ASTRAL);

function astral(key: number): string | undefined {
  const point = indexOf(key) - FIRST_ASTRAL_INDEX + 0x10000;
  return point >= 0x10000 && point <= 0x10ffff ? String.fromCodePoint(point) : undefined;
}

function sequenceOfAstral(point: number): Sequence {
  const index = point - 0x10000 + FIRST_ASTRAL_INDEX;
  const rest = Math.floor(index / 10);
  return [
    0x81 + Math.floor(rest / 1260),
    0x30 + Math.floor(rest / 126) % 10,
    0x81 + rest % 126,
    0x30 + index % 10,
  ];
}
