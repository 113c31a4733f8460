import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { inForm } from "../../src/streams/redact/forms.ts";
import { Redactor, Secrets } from "../../src/streams/redact/redactor.ts";
import type { FoundSecret } from "../../src/streams/redact/redaction.ts";
import { redactStream } from "../../src/streams/redact.ts";
import { redactBytes } from "../../src/streams/redact_bytes.ts";
import { bodyOfPieces, TestBody, text, throughHook, utf8, whole, wholeText } from "./support.ts";

/** What comes out for each piece, and at the end. */
function run(secrets: string[], pieces: string[], by = "*"): string[] {
  const redactor = new Redactor(
    new Secrets(secrets.map(utf8)),
    (_, form, found) => form === "base64" ? inForm("", form, found) : utf8(by),
  );
  const out = pieces.map((piece) => text(redactor.push(utf8(piece)).slice()));
  return [...out, text(redactor.end())];
}

/** Cuts bytes at these places. */
function cut(bytes: Uint8Array, lengths: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) pieces.push(bytes.subarray(at, at += length));
  return [...pieces, bytes.subarray(at)];
}

const hex = (value: number, length: number, isUpper: boolean) => {
  const digits = value.toString(16).padStart(length, "0");
  return isUpper ? digits.toUpperCase() : digits;
};

/** The ways to write a character, made on their own and not by the code under test. */
const SPELLINGS: ((character: string, isUpper: boolean) => string)[] = [
  (character) => character,
  (character) => JSON.stringify(character).slice(1, -1),
  (character) => character === "/" ? "\\/" : character,
  (character, isUpper) =>
    [...character.split("")].map((unit) => `\\u${hex(unit.charCodeAt(0), 4, isUpper)}`).join(""),
  (character, isUpper) => Array.from(utf8(character), (byte) => `%${hex(byte, 2, isUpper)}`).join(""),
  (character) => encodeURIComponent(character),
  (character) => character === " " ? "+" : character,
  (character) => `&#${character.codePointAt(0)};`,
  (character, isUpper) => `&#${isUpper ? "X" : "x"}${hex(character.codePointAt(0)!, 0, isUpper)};`,
  (character) => `&#x${hex(character.codePointAt(0)!, 4, false)};`,
  (character) =>
    ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "/": "&sol;" })[character] ??
      character,
];

const characters = fc.constantFrom(
  "a",
  "b",
  "Z",
  "7",
  "-",
  "_",
  " ",
  "/",
  "\\",
  '"',
  "'",
  "&",
  "<",
  "%",
  "+",
  "é",
  "€",
  "😀",
  "\n",
);
const secretText = fc.array(characters, { minLength: 8, maxLength: 14 }).map((parts) => parts.join(""));
/** A secret with how each of its characters is written. */
const written = secretText.chain((secret) =>
  fc.tuple(
    fc.constant(secret),
    fc.array(fc.tuple(fc.nat({ max: SPELLINGS.length - 1 }), fc.boolean()), {
      minLength: [...secret].length,
      maxLength: [...secret].length,
    }),
  )
);
const lengths = fc.array(fc.nat({ max: 7 }));
/** Text that is no part of any secret or of its forms. */
const filler = fc.string({ unit: fc.constantFrom("q", ".", "\t", "ü", ","), maxLength: 12 });

Deno.test("any mix of plain, JSON, percent and HTML forms is found, at any split", () => {
  fc.assert(
    fc.property(written, filler, filler, lengths, ([secret, spellings], before, after, parts) => {
      const found = [...secret].map((character, i) => SPELLINGS[spellings[i][0]](character, spellings[i][1]))
        .join("");
      const redactor = new Redactor(new Secrets([utf8(secret)]), () => utf8("*"));
      const out = cut(utf8(before + found + after), parts).map((piece) =>
        redactor.push(piece.slice()).slice()
      );
      assertEquals(text(concat([...out, redactor.end()])), `${before}*${after}`);
    }),
    { numRuns: 1500 },
  );
});

Deno.test("hex in either case is found, at any split", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 20 }),
      filler,
      fc.boolean(),
      lengths,
      (secret, around, isUpper, parts) => {
        const digits = isUpper ? secret.toHex().toUpperCase() : secret.toHex();
        const redactor = new Redactor(new Secrets([secret]), (_, form) => utf8(`<${form}>`));
        const out = cut(utf8(`${around}${digits}${around}`), parts).map((piece) =>
          redactor.push(piece.slice()).slice()
        );
        assertEquals(text(concat([...out, redactor.end()])), `${around}<hex>${around}`);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("in Base64 and base64url, at each alignment, what depends on the secret is wiped, and nothing else", () => {
  const bytes = (most: number) => fc.uint8Array({ maxLength: most });
  fc.assert(
    fc.property(
      bytes(7),
      fc.uint8Array({ minLength: 8, maxLength: 20 }),
      bytes(7),
      fc.constantFrom<"base64" | "base64url">("base64", "base64url"),
      lengths,
      (before, secret, after, alphabet, parts) => {
        const encoded = concat([before, secret, after]).toBase64({ alphabet });
        const redactor = new Redactor(new Secrets([secret]), (_, form, found) => inForm("", form, found));
        const pieces = cut(utf8(encoded), parts).map((piece) => redactor.push(piece.slice()).slice());
        const out = text(concat([...pieces, redactor.end()]));
        const from = Math.ceil(before.length * 4 / 3),
          to = Math.floor((before.length + secret.length) * 4 / 3);
        assertEquals(out, encoded.slice(0, from) + "A".repeat(to - from) + encoded.slice(to));
        // What is around it can still be decoded.
        const decoded = Uint8Array.fromBase64(out, { alphabet });
        assertEquals(decoded.subarray(0, before.length), before);
        assertEquals(decoded.subarray(before.length + secret.length), after);
      },
    ),
    { numRuns: 500 },
  );
  // The same, escaped for JSON or in a URL.
  const secret = Uint8Array.from([0xff, 0xef, 0xfe, 0xfb, 0xff, 0xbf, 0xff, 0xfe, 0xff]);
  const redactor = new Redactor(new Secrets([secret]), (_, form, found) => inForm("", form, found));
  const encoded = secret.toBase64();
  for (
    const form of [
      encoded.replaceAll("/", "\\/"),
      encodeURIComponent(encoded),
      encoded.replaceAll("+", "\\u002B"),
    ]
  ) {
    assertEquals(text(redactor.push(utf8(form + " "))), "A".repeat(12) + " ");
  }
});

Deno.test("what is not a secret passes byte for byte, whatever it is", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (pieces) => {
    const redactor = new Redactor(
      new Secrets(["a secret that is not there", "another/one+here"].map(utf8)),
      () => utf8("*"),
    );
    const out = pieces.map((piece) => redactor.push(piece.slice()).slice());
    assertEquals(concat([...out, redactor.end()]), concat(pieces));
  }));
});

Deno.test("nothing is held back that is not the beginning of a form, and a secret goes with its last byte", () => {
  const secret = "s3cr3t/key";
  assertEquals(run([secret], ["key=s3cr", "3t", "/ke", "y&"]), ["key=", "", "", "*", "&"]);
  assertEquals(run([secret], ["key=s3cr", "3t", "/ke", "y"]), ["key=", "", "", "*", ""]);
  assertEquals(run([secret], ["s3cr3t-", "x"]), ["s3cr3t-", "x", ""]);
  assertEquals(run([secret], ["a\\", "u00", "7", "4"]), ["a", "", "", "\\u0074", ""]);
  assertEquals(run([secret], ["a%", "7", "3%", "35"]), ["a", "", "", "%73%35", ""]);
  assertEquals(run([secret], ["&", "#", "00", "115", ";x"]), ["", "", "", "", "&#00115;x", ""]);
  assertEquals(run([secret], ["&", "lt;"]), ["", "&lt;", ""]);
  assertEquals(run([secret], ["73", "33"]), ["", "", "7333"]);
  assertEquals(run([secret], ["xs", "3", "cr3t\\", "/ke", "y"]), ["x", "", "", "", "*", ""]);
  // The end of a secret that could still be an escape waits for it.
  assertEquals(run(["password&"], ["password&", "amp;", "password&", "x"]), ["", "*", "", "*x", ""]);
});

Deno.test("of secrets that begin at the same place the longest goes; several are told apart", () => {
  assertEquals(
    run(["password", "password-1234"], ["password-1234 password-12 password"]).join(""),
    "* *-12 *",
  );
  assertEquals(run(["password", "password-1234"], ["password-12", "34"]), ["", "*", ""]);
  // One's text is the beginning of another one's hexadecimal form.
  const long = "\xde\xad\xbe\xef-long-one";
  assertEquals(run(["c39ec2ad", long], [utf8(long).toHex()]).join(""), "*");
  const found: unknown[] = [];
  const redactor = new Redactor(new Secrets(["first one", "second/one"].map(utf8)), (secret, form, bytes) => {
    found.push([secret, form, text(bytes)]);
    return inForm("<pl&ce>", form, bytes);
  });
  const body = 'second\\/one first+one second&#47;one second/one "first\\u0020one" 7365636f6e642f6f6e65 ' +
    utf8("xfirst one").toBase64();
  assertEquals(
    text(redactor.push(utf8(body))),
    '<pl&ce> %3Cpl%26ce%3E &#60;pl&#38;ce&#62; <pl&ce> "<pl&ce>" 3c706c2663653e eGAAAAAAAAAAA' +
      utf8("xfirst one").toBase64().slice(13),
  );
  assertEquals(found.map((each) => (each as unknown[]).slice(0, 2)), [
    [1, "json"],
    [0, "percent"],
    [1, "html"],
    [1, "plain"],
    [0, "json"],
    [1, "hex"],
    [0, "base64"],
  ]);
});

Deno.test("redactStream: strings and bytes, one or several, what replaces them", async () => {
  const through = (stage: TransformStream<Uint8Array, Uint8Array>, ...pieces: string[]) =>
    wholeText(throughHook(bodyOfPieces(pieces), stage));
  assertEquals(await through(redactStream("hunter2hunter2"), "a hunter2", "hunter2 b"), "a [redacted] b");
  assertEquals(await through(redactStream(utf8("hunter2hunter2"), utf8("x")), "a hunter2hunter2"), "a x");
  assertEquals(
    await through(redactStream(["hunter2hunter2", utf8("12345678")], "$&"), "hunter2hunter212345678"),
    "$&$&",
  );
  assertEquals(await through(redactStream(new Set(["hunter2hunter2"])), "hunter2hunter2"), "[redacted]");
  assertEquals(await through(redactStream([]), "hunter2hunter2"), "hunter2hunter2");
  const bytes = Uint8Array.from([0xff, 0, 0xc3, 0x28, 0x80, 1, 2, 3]);
  assertEquals(
    await whole(
      throughHook(
        bodyOfPieces([concat([utf8("<"), bytes, utf8("%fF%00%C3(%80%01%02%03>")])]),
        redactStream(bytes, "*"),
      ),
    ),
    utf8("<**>"),
  );
});

Deno.test("redactStream, redactBytes: a function is told which secret it is, and writes in its form", async () => {
  const names = ["$FIRST", "$SECOND"], found: unknown[] = [];
  const by = ({ index, form, write }: FoundSecret) => {
    found.push([index, form]);
    return write(names[index]);
  };
  const secrets = ["first/secret", "second secret"];
  const body = "first\\/secret second+secret second secret";
  const stage = redactStream(secrets, by);
  assertEquals(await wholeText(throughHook(bodyOfPieces([body]), stage)), "$FIRST %24SECOND $SECOND");
  assertEquals(found, [[0, "json"], [1, "percent"], [1, "plain"]]);
  assertEquals(text(redactBytes(body, secrets, by)), "$FIRST %24SECOND $SECOND");
  assertEquals(text(redactBytes("first/secret", secrets)), "[redacted]");
  const wrong = redactStream("first/secret", (() => 7) as unknown as () => string);
  const error = await assertRejects(
    () => whole(throughHook(bodyOfPieces(["first/secret"]), wrong)),
    WeirError,
  );
  assertEquals([error.code, error.message.includes("the number 7")], ["addon", true]);
});

Deno.test("redactStream: an event comes out in the turn in which it went in", () => {
  const source = new TestBody();
  const body = throughHook(source, redactStream("hunter2hunter2"));
  source.push("data: the password is hunter2hunter2\n\n");
  assertEquals(text(body.take()!), "data: the password is [redacted]\n\n");
});

Deno.test("redactStream cuts the body where more would have to be held", async () => {
  const body = throughHook(bodyOfPieces(["hunter2hunter"]), redactStream("hunter2hunter2", "", { hold: 10 }));
  assertEquals((await assertRejects(() => whole(body), WeirError, "redactStream")).code, "limit");
});

Deno.test("redactStream refuses what it cannot look for, when it is made", () => {
  assertThrows(() => redactStream("1234567"), TypeError, "at least 8");
  assertThrows(() => redactStream(["long enough", ""]), TypeError, "0 bytes");
  assertThrows(() => redactStream(7 as unknown as string), TypeError, "the number 7");
  assertThrows(() => redactStream([7 as unknown as string]), TypeError, "the number 7");
  assertThrows(() => redactStream("long enough", 7 as unknown as string), TypeError, "the number 7");
  assertThrows(() => redactStream("x".repeat(100_000)), TypeError, "100000 bytes");
});

Deno.test("redactStream: many beginnings of secrets take time in proportion to the text", () => {
  const secrets = Array.from({ length: 20 }, (_, i) => `${"ab".repeat(20)}-secret-${i}`);
  const redactor = new Redactor(new Secrets(secrets.map(utf8)), () => utf8("*"));
  const piece = utf8("ab%61%62&#97;&#98;6162\\u0061YWJhYmFi".repeat(200));
  const started = performance.now();
  for (let i = 0; i < 200; i++) redactor.push(piece);
  redactor.end();
  const took = performance.now() - started;
  assert(took < 5000, `${200 * piece.length} bytes took ${took} ms`);
});
