import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../../src/errors.ts";
import { drop } from "../../../src/streams/drop.ts";
import { replaceStream } from "../../../src/streams/replace.ts";
import { type MultipartPart, multipartStream } from "../../../src/streams/units/mod.ts";
import { next, turn, utf8 } from "../support.ts";
import { byteByByte, cutAt, cuts, Fed, textThrough, through } from "./support.ts";

const B = "b--x";
const typed = (type: string) => ({ headers: new Headers({ "content-type": type }) });
const message = typed(`multipart/form-data; boundary=${B}`);

/** What is full of beginnings of delimiters. */
const content = fc.array(
  fc.constantFrom(
    "a",
    "secret",
    "sec",
    "\r",
    "\n",
    "\r\n",
    "-",
    `--${B.slice(0, -1)}`,
    `\r\n--${B}y`,
    `x--${B}\r\n`,
    `\r\n--${B}-x`,
    `\n--${B} `,
    "ä",
  ),
  { maxLength: 8 },
).map((parts) => parts.join("")).filter((text) =>
  ["\n", "\r\n"].every((end) => !`\r\n${text}${end}`.match(new RegExp(`\\n--${B}([ \\t]*\\r?\\n|--)`)))
);
const body = fc.record({
  preamble: fc.constantFrom("", "This is a message.\r\n", "\n", "--\r\n--b--\r\n"),
  parts: fc.array(
    fc.record({
      head: fc.constantFrom(
        "",
        "X: 1\r\n",
        'Content-Disposition: form-data; name="f"\r\nContent-Length: 5\r\n',
        "folded: a\n b\n",
        "no field\r\n",
      ),
      empty: fc.constantFrom("\r\n", "\r\n", "\n"),
      padding: fc.constantFrom("\r\n", "\r\n", " \t\r\n", "\n"),
      content,
      end: fc.constantFrom("\r\n", "\r\n", "\n"),
    }),
    { maxLength: 4 },
  ),
  epilogue: fc.constantFrom("", "\r\n", `\r\n--${B}\r\nno part`, "rest"),
});
type Written = typeof body extends fc.Arbitrary<infer T> ? T : never;

/** A line break in front of a delimiter is as long as it can be. */
const split = (text: string, end: string): [string, string] =>
  end === "\n" && text.endsWith("\r") ? [text.slice(0, -1), "\r\n"] : [text, end];

function write(
  { preamble, parts, epilogue }: Written,
  change: (content: string, index: number) => string | null,
) {
  return preamble + parts.map(({ head, empty, padding, content, end }, index) => {
    const [text, lineBreak] = split(content, end);
    const changed = change(text, index);
    return changed === null ? "" : `--${B}${padding}${head}${empty}${changed}${lineBreak}`;
  }).join("") + `--${B}--${epilogue}`;
}

Deno.test("parts that are left alone keep every byte, at every split", async () => {
  await fc.assert(
    fc.asyncProperty(body, cuts, async (parts, places) => {
      const whole = write(parts, (content) => content);
      for (const pieces of [[utf8(whole)], cutAt(utf8(whole), places), byteByByte(utf8(whole))]) {
        let count = 0;
        assertEquals(await textThrough(multipartStream(message, () => void count++), pieces), whole);
        assertEquals(count, parts.parts.length);
      }
    }),
    { numRuns: 400 },
  );
});

/** Ways to treat a part, with what becomes of its content. */
const DEEDS: { fn(part: MultipartPart): unknown; plain(text: string): string | null }[] = [
  { fn: () => {}, plain: (text) => text },
  { fn: () => null, plain: () => null },
  { fn: () => drop, plain: () => null },
  {
    fn: (part) => {
      part.stream = replaceStream("secret", "***");
    },
    plain: (text) => text.replaceAll("secret", "***"),
  },
  {
    fn: async (part) => {
      await Promise.resolve();
      part.stream = [async function* (chunks) {
        for await (const chunk of chunks) yield chunk;
        yield "!";
      }, new TransformStream()];
    },
    plain: (text) => `${text}!`,
  },
  {
    // Wants only the beginning, or nothing at all.
    fn: (part) => {
      // deno-lint-ignore require-yield -- Nothing of the part is sent.
      part.stream = async function* (chunks) {
        for await (const _ of chunks) break;
      };
    },
    plain: () => "",
  },
];

Deno.test("the content of each part is what its stages make of it, at every split", async () => {
  await fc.assert(
    fc.asyncProperty(body, fc.array(fc.nat(), { minLength: 1 }), cuts, async (parts, deeds, places) => {
      const deed = (index: number) => DEEDS[deeds[index % deeds.length] % DEEDS.length];
      const whole = utf8(write(parts, (content) => content));
      let expected = write(parts, (text, index) => deed(index).plain(text));
      for (const pieces of [[whole], cutAt(whole, places), byteByByte(whole)]) {
        let index = 0;
        const stage = multipartStream(message, (part) => deed(index++).fn(part) as null);
        const out = await textThrough(stage, pieces);
        // The length of a content that goes through stages is not known.
        const strip = (text: string) => text.replaceAll("Content-Length: 5\r\n", "");
        assertEquals(strip(out), strip(expected));
        expected = out;
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("a part is known by its head: fields, name, file's name", async () => {
  const heads: [string, string | null, string | null][] = [
    ['Content-Disposition: form-data; name="a b"', "a b", null],
    ['content-disposition: form-data; filename="x; name=y"; name=plain', "plain", "x; name=y"],
    ['Content-Disposition: form-data; name="q%22r"; filename="ü %0D%0A.txt"', 'q"r', "ü \r\n.txt"],
    ['Content-Disposition: form-data; name="q\\"r\\\\"', 'q"r\\', null],
    ["Content-Disposition: attachment; filename*=UTF-8''n%C3%A4h.txt; filename=\"nah.txt\"", null, "näh.txt"],
    ["Content-Type: text/plain", null, null],
    ['Content-Disposition: form-data;\r\n name="folded"', "folded", null],
    ['Content-Disposition: form-data; name=""', "", null],
  ];
  const whole = heads.map(([head]) => `--${B}\r\n${head}\r\n\r\nx\r\n`).join("") + `--${B}--\r\n`;
  const seen: unknown[] = [];
  const stage = multipartStream(message, (part) => void seen.push([part.name, part.filename]));
  assertEquals(await textThrough(stage, [whole]), whole);
  assertEquals(seen, heads.map(([, name, filename]) => [name, filename]));
});

Deno.test("fields that change are written in their place, the others stay as they came", async () => {
  const head = "x-A:  1\r\nbad line\r\nX-B: 2\r\nx-a: 3\r\ncontent-LENGTH: 5\r\n";
  const whole = `--${B}\r\n${head}\r\nhello\r\n--${B}--\r\n`;
  const change = (fn: (part: MultipartPart) => void) =>
    textThrough(multipartStream(message, (part) => void fn(part)), [whole]);
  assertEquals(await change(({ headers }) => headers.set("X-B", "new")), whole.replace("X-B: 2", "X-B: new"));
  assertEquals(
    await change(({ headers }) => headers.delete("x-a")),
    whole.replace("x-A:  1\r\n", "").replace("x-a: 3\r\n", ""),
  );
  assertEquals(
    await change(({ headers }) => headers.append("x-a", "4")),
    whole.replace("x-A:  1\r\n", "x-A: 1, 3, 4\r\n").replace("x-a: 3\r\n", ""),
  );
  assertEquals(
    await change(({ headers }) => headers.set("x-c", "5")),
    whole.replace("5\r\n\r\nh", "5\r\nx-c: 5\r\n\r\nh"),
  );
  assertEquals(
    await change((part) => part.stream = replaceStream("hello", "bye")),
    whole.replace("content-LENGTH: 5\r\n", "").replace("hello", "bye"),
  );
  assertEquals(await change((part) => part.stream = false), whole);
});

Deno.test("content flows: only what may begin a delimiter is held", async () => {
  const fed = new Fed(
    multipartStream(message, (part) => void (part.stream = replaceStream("secret", "***"))),
  );
  assertEquals(await fed.push(`pre\r\n--${B}`), "pre");
  assertEquals(await fed.push("\r"), "");
  assertEquals(await fed.push("\nX: 1\r\n"), "\r\n");
  assertEquals(await fed.push("\r\n"), `--${B}\r\nX: 1\r\n\r\n`);
  assertEquals(await fed.push("abc sec"), "abc ");
  assertEquals(await fed.push("ret\r"), "***");
  assertEquals(await fed.push("x\r\n--b-"), "\rx");
  assertEquals(await fed.push("y"), "\r\n--b-y");
  assertEquals(await fed.push(`\r\n--${B}-`), "");
  assertEquals(await fed.push("-"), `\r\n--${B}--`);
  assertEquals(await fed.push("epi"), "epi");
  assertEquals(await fed.end(), "");
  assertEquals(fed.error, null);
});

Deno.test("a body that ends in a part is passed as far as it came", async () => {
  for (
    const whole of [
      `--${B}\r\n\r\nabc\r\n--${B}`,
      `--${B}\r\nX: 1`,
      `--${B}`,
      "no part at all",
      `--${B}\r\n\r\n`,
    ]
  ) {
    const stage = multipartStream(message, (part) => void (part.stream = (chunk) => chunk));
    assertEquals(await textThrough(stage, byteByByte(utf8(whole))), whole);
  }
});

Deno.test("what a stage of a part does not want is left out, also when it comes later", async () => {
  const fed = new Fed(multipartStream(message, (part) => {
    if (part.headers.has("x")) return;
    part.stream = async function* (chunks) {
      for await (const chunk of chunks) return void (yield chunk);
    };
  }));
  const head = `--${B}\r\n\r\n`;
  assertEquals(await fed.push(`${head}first`), `${head}first`);
  assertEquals(await fed.push("second"), "");
  assertEquals(await fed.push(`third\r\n--${B}\r\nX: 1\r\n\r\nnext`), `\r\n--${B}\r\nX: 1\r\n\r\nnext`);
  assertEquals(await fed.push(`\r\n--${B}--`), `\r\n--${B}--`);
  await fed.end();
});

Deno.test("a slow stage of a part stops the source", async () => {
  const gate = Promise.withResolvers<void>();
  const fed = new Fed(multipartStream(message, (part) => {
    part.stream = async (chunk) => {
      await gate.promise;
      return chunk;
    };
  }));
  fed.source.push(`--${B}\r\n\r\n`).push("one").push("two").push(`\r\n--${B}--`).end();
  assertEquals((await next(fed.body))!.length, 10);
  const rest = next(fed.body);
  await turn();
  assertEquals(fed.source.taken, 2);
  gate.resolve();
  assertEquals(new TextDecoder().decode((await rest)!), "one");
  fed.body.cancel(new WeirError("client", "closed", "gone"));
});

Deno.test("a real form, as the web's own classes write and read it", async () => {
  const form = new FormData();
  form.set("text", "ünï secret");
  form.set("file", new File([new Uint8Array(100_000).fill(13), "secret"], 'ä".bin'));
  form.set("gone", "secret");
  const request = new Response(form);
  const names: unknown[] = [];
  const stage = multipartStream(request, (part) => {
    names.push([part.name, part.filename]);
    if (part.name === "gone") return null;
    part.stream = replaceStream("secret", "***");
  });
  const changed = await new Response(request.body!.pipeThrough(stage), { headers: request.headers })
    .formData();
  assertEquals(names, [["text", null], ["file", 'ä".bin'], ["gone", null]]);
  assertEquals([...changed.keys()], ["text", "file"]);
  assertEquals(changed.get("text"), "ünï ***");
  const file = new Uint8Array(await (changed.get("file") as File).arrayBuffer());
  assertEquals([file.length, new TextDecoder().decode(file.subarray(-3))], [100_003, "***"]);
});

Deno.test("a head beyond the bound, a function or a stage that fails: the body is cut", async () => {
  const large = new Fed(multipartStream(message, () => {}, { hold: 30 }));
  const fits = `--${B}\r\nX: ${"x".repeat(15)}\r\n\r\n${"c".repeat(100)}`;
  assertEquals(await large.push(fits), fits);
  await large.push(`\r\n--${B}\r\nX: ${"x".repeat(30)}`);
  assertEquals((large.error as WeirError).code, "limit");
  const bad: [(part: MultipartPart) => unknown, string][] = [
    [() => {
      throw new Error("oh no");
    }, "The function of multipartStream threw: oh no"],
    [() => Promise.reject(new Error("oh no")), "oh no"],
    [() => 5, "it returns nothing, or null"],
    [(part) => {
      part.stream = 5 as never;
    }, "message.stream was given"],
    [(part) => {
      part.stream = () => {
        throw new Error("in the stage");
      };
    }, "in the stage"],
  ];
  for (const [fn, text] of bad) {
    const fed = new Fed(multipartStream(message, fn as () => null));
    await fed.push(`--${B}\r\n\r\nx\r\n--${B}--`);
    assertStringIncludes((fed.error as WeirError).message, text);
    assertEquals([(fed.error as WeirError).code, fed.faults.length], ["addon", 1]);
    assert(fed.source.cancelled !== null);
  }
});

Deno.test("wrong arguments are refused when the stage is made", async () => {
  const untyped = multipartStream as unknown as (...given: unknown[]) => TransformStream;
  assertThrows(() => untyped(() => {}), TypeError, "multipartStream takes the message first");
  assertThrows(() => untyped(message), TypeError, "multipartStream takes a function");
  assertThrows(() => untyped(message, () => {}, { hold: 0 }), TypeError, "hold");
  for (
    const type of [
      "text/plain; boundary=x",
      "multipart/form-data",
      "multipart/form-data; boundary=",
      "multipart; boundary=x",
    ]
  ) {
    assertThrows(() => multipartStream(typed(type), () => {}), TypeError, type);
  }
  assertThrows(() => multipartStream({ headers: new Headers() }, () => {}), TypeError, "not given");
  for (const type of ['Multipart/Mixed; charset=x; Boundary="a b"', 'multipart/mixed; boundary="a b";x=y']) {
    assertEquals(
      await textThrough(multipartStream(typed(type), () => null), ["--a b\r\n\r\nx\r\n--a b--"]),
      "--a b--",
    );
  }
  const stage = multipartStream(message, () => {});
  await through(stage, ["x"]);
  await assertRejects(() => through(stage, ["x"]), TypeError, "in use");
});
