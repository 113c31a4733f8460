/**
 * Where values, names and commas of a JSON text (RFC 8259 §2) are, as it comes in pieces.
 * @module
 */
import { WeirError } from "../../errors.ts";

/** What was found. */
export const Found = {
  /** The piece has ended. */
  more: 0,
  /** A member's name begins at `at`, with its quotation mark. */
  nameStart: 1,
  /** The name ends before `at`. */
  nameEnd: 2,
  /** A value begins at `at`. */
  valueStart: 3,
  /** The value ends before `at`. */
  valueEnd: 4,
  /** A comma is at `at`. */
  comma: 5,
  /** The byte at `at` does not belong there. */
  wrong: 6,
} as const;

/** What may come next. */
const Expect = {
  value: 0,
  valueOrEnd: 1,
  name: 2,
  nameOrEnd: 3,
  colon: 4,
  behindValue: 5,
  text: 6,
  escape: 7,
  hex: 8,
  word: 9,
  number: 10,
  nothing: 11,
} as const;

/**
 * States of a number (RFC 8259 §6): behind the minus, a leading zero, digits, the point, digits, the e, its
 * sign, digits.
 */
const Digits = { minus: 0, zero: 1, whole: 2, point: 3, fraction: 4, e: 5, sign: 6, exponent: 7 } as const;

/** Containers inside each other. */
const MAX_DEPTH = 10_000;

const QUOTE = 0x22,
  BACKSLASH = 0x5c,
  COMMA = 0x2c,
  COLON = 0x3a,
  OBJECT = 0x7b,
  OBJECT_END = 0x7d,
  ARRAY = 0x5b;
const ARRAY_END = 0x5d, MINUS = 0x2d, ZERO = 0x30, NINE = 0x39;
const WORDS: Readonly<Record<number, Uint8Array>> = {
  0x74: new TextEncoder().encode("true"),
  0x66: new TextEncoder().encode("false"),
  0x6e: new TextEncoder().encode("null"),
};
const BOM = Uint8Array.of(0xef, 0xbb, 0xbf);
/** Characters that may stand behind a backslash, `u` apart. */
const ESCAPES = new Set('"\\/bfnrt'.split("").map((sign) => sign.charCodeAt(0)));

/** Reads one text. */
export class JsonScanner {
  /** Where what was found is, in the piece; and the byte that is read next. */
  at = 0;
  next = 0;
  /** Containers around the next byte. */
  depth = 0;
  /** What is inside more containers than this is not told. */
  quiet = 0;
  /** True when the name that was read last has escapes. */
  hasEscape = false;
  #expect: number = Expect.value;
  #types = new Uint8Array(64);
  #isName = false;
  #word: Uint8Array = BOM;
  #letter = 0;
  #digits: number = 0;
  #isFirst = true;

  /** True when the whole value was read. */
  get isWhole(): boolean {
    return this.#expect === Expect.nothing;
  }

  /** True when nothing but white space was read. */
  get isEmpty(): boolean {
    return this.#expect === Expect.value && this.depth === 0;
  }

  /**
   * Finds what comes next in a piece, from `next` on. @throws {WeirError} `limit` when containers are nested
   * too deep.
   */
  find(piece: Uint8Array): number {
    for (let i = this.next; i < piece.length;) {
      const byte = piece[i];
      switch (this.#expect) {
        case Expect.text: {
          let at = i;
          while (at < piece.length && piece[at] !== QUOTE && piece[at] !== BACKSLASH && piece[at] >= 0x20) {
            at++;
          }
          i = at;
          if (i === piece.length) break;
          if (piece[i] === BACKSLASH) {
            this.#expect = Expect.escape;
            this.hasEscape = true;
          } else if (piece[i] !== QUOTE) return this.#tell(Found.wrong, i, i);
          i++;
          if (piece[i - 1] === BACKSLASH) break;
          if (!this.#isName) {
            if (this.#endValue()) return this.#tell(Found.valueEnd, i, i);
          } else {
            this.#expect = Expect.colon;
            if (this.depth <= this.quiet) return this.#tell(Found.nameEnd, i, i);
          }
          break;
        }
        case Expect.escape:
          if (byte === 0x75) {
            this.#expect = Expect.hex;
            this.#letter = 0;
          } else if (ESCAPES.has(byte)) this.#expect = Expect.text;
          else return this.#tell(Found.wrong, i, i);
          i++;
          break;
        case Expect.hex:
          if (!isHex(byte)) return this.#tell(Found.wrong, i, i);
          if (++this.#letter === 4) this.#expect = Expect.text;
          i++;
          break;
        case Expect.word:
          if (byte !== this.#word[this.#letter]) return this.#tell(Found.wrong, i, i);
          i++;
          if (++this.#letter < this.#word.length) break;
          if (this.#isFirst) {
            // It was a byte order mark.
            this.#isFirst = false;
            this.#expect = Expect.value;
          } else if (this.#endValue()) return this.#tell(Found.valueEnd, i, i);
          break;
        case Expect.number: {
          const digits = nextDigits(this.#digits, byte);
          if (digits !== -1) {
            this.#digits = digits;
            i++;
            break;
          }
          if (!isNumber(this.#digits) || !endsNumber(byte)) return this.#tell(Found.wrong, i, i);
          // The byte behind the number is read again.
          if (this.#endValue()) return this.#tell(Found.valueEnd, i, i);
          break;
        }
        default: {
          if (isSpace(byte)) {
            i++;
            break;
          }
          const found = this.#between(byte);
          if (found !== Found.more) {
            // The end of a container is told behind it, the others where they are.
            return this.#tell(found, found === Found.valueEnd ? i + 1 : i, found === Found.wrong ? i : i + 1);
          }
          i++;
        }
      }
    }
    this.next = piece.length;
    return Found.more;
  }

  /** The text has ended: a number that could have gone on is whole. */
  end(): number {
    this.at = this.next = 0;
    if (this.#expect !== Expect.number || !isNumber(this.#digits) || !this.#endValue()) return Found.more;
    return Found.valueEnd;
  }

  #tell(found: number, at: number, next: number): number {
    this.at = at;
    this.next = next;
    return found;
  }

  /** A byte outside of names and plain values. */
  #between(byte: number): number {
    switch (this.#expect) {
      case Expect.valueOrEnd:
        if (byte === ARRAY_END) return this.#close();
        return this.#open(byte);
      case Expect.value:
        if (this.#isFirst && byte === BOM[0]) {
          this.#expect = Expect.word;
          this.#letter = 1;
          return Found.more;
        }
        return this.#open(byte);
      case Expect.nameOrEnd:
      case Expect.name:
        if (byte === OBJECT_END && this.#expect === Expect.nameOrEnd) return this.#close();
        if (byte !== QUOTE) return Found.wrong;
        this.#expect = Expect.text;
        this.#isName = true;
        this.hasEscape = false;
        return this.depth <= this.quiet ? Found.nameStart : Found.more;
      case Expect.colon:
        if (byte !== COLON) return Found.wrong;
        this.#expect = Expect.value;
        return Found.more;
      case Expect.behindValue: {
        const type = this.#types[this.depth - 1];
        if (byte === type + 2) return this.#close();
        if (byte !== COMMA) return Found.wrong;
        this.#expect = type === OBJECT ? Expect.name : Expect.value;
        return this.depth <= this.quiet ? Found.comma : Found.more;
      }
    }
    return Found.wrong;
  }

  /** The first byte of a value. */
  #open(byte: number): number {
    const isTold = this.depth <= this.quiet;
    this.#isFirst = false;
    if (byte === QUOTE) {
      this.#expect = Expect.text;
      this.#isName = false;
    } else if (byte === OBJECT || byte === ARRAY) {
      if (this.depth === MAX_DEPTH) {
        throw new WeirError("weir", "limit", `jsonStream found JSON with more than ${MAX_DEPTH} levels.`);
      }
      if (this.depth === this.#types.length) {
        const types = new Uint8Array(this.#types.length * 2);
        types.set(this.#types);
        this.#types = types;
      }
      this.#types[this.depth++] = byte;
      this.#expect = byte === OBJECT ? Expect.nameOrEnd : Expect.valueOrEnd;
    } else if (byte === MINUS || byte >= ZERO && byte <= NINE) {
      this.#expect = Expect.number;
      this.#digits = byte === MINUS ? Digits.minus : byte === ZERO ? Digits.zero : Digits.whole;
    } else if (byte in WORDS) {
      this.#expect = Expect.word;
      this.#word = WORDS[byte];
      this.#letter = 1;
    } else return Found.wrong;
    return isTold ? Found.valueStart : Found.more;
  }

  #close(): number {
    this.depth--;
    return this.#endValue() ? Found.valueEnd : Found.more;
  }

  /** True when the end of the value is told. */
  #endValue(): boolean {
    this.#expect = this.depth === 0 ? Expect.nothing : Expect.behindValue;
    return this.depth <= this.quiet;
  }
}

function isHex(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39 || byte >= 0x41 && byte <= 0x46 || byte >= 0x61 && byte <= 0x66;
}

/** The state of a number behind one more byte, or -1 when the byte is not part of it. */
function nextDigits(digits: number, byte: number): number {
  if (byte >= ZERO && byte <= NINE) {
    if (digits === Digits.minus) return byte === ZERO ? Digits.zero : Digits.whole;
    if (digits === Digits.zero) return -1;
    if (digits === Digits.point) return Digits.fraction;
    if (digits === Digits.e || digits === Digits.sign) return Digits.exponent;
    return digits;
  }
  if (byte === 0x2e) return digits === Digits.zero || digits === Digits.whole ? Digits.point : -1;
  if (byte === 0x65 || byte === 0x45) {
    return digits === Digits.zero || digits === Digits.whole || digits === Digits.fraction ? Digits.e : -1;
  }
  if (byte === 0x2b || byte === MINUS) return digits === Digits.e ? Digits.sign : -1;
  return -1;
}

/** True when a number may end in this state. */
function isNumber(digits: number): boolean {
  return digits === Digits.zero || digits === Digits.whole || digits === Digits.fraction ||
    digits === Digits.exponent;
}

/** True for what may stand behind a number. */
function endsNumber(byte: number): boolean {
  return byte === COMMA || byte === OBJECT_END || byte === ARRAY_END || isSpace(byte);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
