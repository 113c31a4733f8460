/**
 * Both parts of SOCKS5 against each other and against what a test writes: whole, byte by byte and at random
 * splits.
 */
import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { WeirError } from "../../src/errors.ts";
import { socksConnect } from "../../src/socks/client.ts";
import type { Login } from "../../src/socks/messages.ts";
import { replyCodeOf } from "../../src/socks/replies.ts";
import { socksAccept } from "../../src/socks/server.ts";
import { byteByByte, latin1, memoryConnPair, type Split, splitBy, whole } from "../support/memory_conn.ts";

const ME: Login = { username: "me", password: "a:b" };
const TARGET = { hostname: "a.example", port: 80 };
const BOUND = { hostname: "127.0.0.1", port: 4242 };
const isMe = ({ username, password }: Login) => Promise.resolve(username === "me" && password === "a:b");

async function readText(conn: { read(into: Uint8Array): Promise<number | null> }): Promise<string> {
  const into = new Uint8Array(64);
  let text = "";
  for (let count; (count = await conn.read(into)) !== null;) text += latin1(into.subarray(0, count));
  return text;
}

async function converse(split: Split, login: Login | null): Promise<void> {
  const [near, far] = memoryConnPair({ split });
  const server = (async () => {
    const request = await socksAccept(far, login && isMe);
    assertEquals(request.target, TARGET);
    const tunnel = await request.accept(BOUND);
    await tunnel.write(new TextEncoder().encode("SSH-2.0-x\r\n"));
    await tunnel.closeWrite();
    return await readText(tunnel);
  })();
  const tunnel = await socksConnect(near, TARGET, { login });
  await tunnel.write(new TextEncoder().encode("hello"));
  await tunnel.closeWrite();
  assertEquals([await readText(tunnel), await server], ["SSH-2.0-x\r\n", "hello"]);
}

for (const [how, split] of [["whole", whole], ["byte by byte", byteByByte]] as const) {
  for (const login of [null, ME]) {
    const name = `client and server agree, ${login ? "with" : "without"} a login (${how})`;
    Deno.test(name, () => converse(split, login));
  }
}

Deno.test("client and server agree at random splits", async () => {
  const counts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 });
  const logins = fc.constantFrom(null, ME);
  await fc.assert(fc.asyncProperty(counts, logins, (sizes, login) => converse(splitBy(sizes), login)));
});

Deno.test("a client that says all of it at once, and its request behind it, loses nothing", async () => {
  const [near, far] = memoryConnPair();
  await near.writeText("\x05\x01\x00\x05\x01\x00\x03\x09a.example\x00\x50GET / HTTP/1.1\r\n\r\n");
  const request = await socksAccept(far, null);
  const tunnel = await request.accept(BOUND);
  await near.closeWrite();
  assertEquals(await readText(tunnel), "GET / HTTP/1.1\r\n\r\n");
  tunnel.close();
  assertEquals(await near.readToEnd(), "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x10\x92");
});

/** What comes before the address of a client that needs no login. */
const HELLO = "\x05\x01\x00\x05";
/** The choice of no login, then a reply with that code. */
const replied = (code: string) => `\x05\x00\x05${code}\x00\x01\0\0\0\0\0\0`;

/** What a client says, what it hears, and what becomes of it. */
const REFUSALS: readonly (readonly [
  what: string,
  says: string,
  hears: string,
  error: string,
  needsLogin?: true,
])[] = [
  ["no methods", "\x05\x00", "\x05\xff", "offers no SOCKS5 without a login (its methods: none)"],
  ["GSSAPI alone", "\x05\x01\x01", "\x05\xff", "offers no SOCKS5 without a login (its methods: 1)"],
  ["a login alone, which nobody asks for", "\x05\x01\x02", "\x05\xff", "without a login"],
  ["no login, where there must be one", "\x05\x01\x00", "\x05\xff", "with a user name and password", true],
  ["a wrong password", "\x05\x02\x00\x02\x01\x02me\x01x", "\x05\x02\x01\x01", "were refused", true],
  ["BIND", `${HELLO}\x02\x00\x01\x7f\x00\x00\x01\x00\x50`, replied("\x07"), "for BIND"],
  ["UDP ASSOCIATE", `${HELLO}\x03\x00\x01\0\0\0\0\0\0`, replied("\x07"), "for UDP ASSOCIATE"],
  ["a new command", `${HELLO}\x09\x00\x01\0\0\0\0\0\0`, replied("\x07"), "for command 9"],
  [
    "a new address type",
    `${HELLO}\x01\x00\x02\x7f\x00\x00\x01\x00\x50`,
    replied("\x08"),
    "no address type 2",
  ],
  ["port 0", `${HELLO}\x01\x00\x01\x7f\x00\x00\x01\0\0`, replied("\x01"), "127.0.0.1:0"],
  [
    "a name that breaks lines",
    `${HELLO}\x01\x00\x03\x03a\nb\x00\x50`,
    replied("\x01"),
    "for a\\nb:80, which",
  ],
  ["a name that is empty", `${HELLO}\x01\x00\x03\x00\x00\x50`, replied("\x01"), "no place"],
  ["HTTP", "GET / HTTP/1.1\r\n\r\n", "", "does not speak SOCKS5"],
  ["a login of another version", "\x05\x01\x02\x05\x00\x00", "\x05\x02", "its login is of version 5", true],
];

for (const [what, says, hears, error, needsLogin] of REFUSALS) {
  for (const [how, split] of [["whole", whole], ["byte by byte", byteByByte]] as const) {
    Deno.test(`a client with ${what} is refused and hears of it (${how})`, async () => {
      const [near, far] = memoryConnPair({ split });
      await near.writeText(says);
      const accepting = assertRejects(() => socksAccept(far, needsLogin ? isMe : null), WeirError, error);
      // Where nothing more is said the server has to be ended, as its owner would.
      if (hears.length <= 2 && !hears.endsWith("\xff")) void accepting.then(() => far.closeWrite());
      assertEquals(await near.readToEnd(), hears);
      await near.closeWrite();
      assertEquals((await accepting).side, "client");
    });
  }
}

Deno.test("a client that is refused while it talks on can still read why", async () => {
  const [near, far] = memoryConnPair({ capacity: 1024 });
  const writing = near.writeText(`\x05\x01\x01${"x".repeat(20_000)}`).then(() => near.closeWrite());
  await assertRejects(() => socksAccept(far, null), WeirError, "methods: 1");
  far.close();
  assertEquals([await near.readToEnd(), await writing], ["\x05\xff", undefined]);
});

Deno.test("a client that leaves in the middle is not waited for", async () => {
  const [near, far] = memoryConnPair();
  await near.writeText("\x05\x02\x00");
  await near.closeWrite();
  await assertRejects(
    () => socksAccept(far, null),
    WeirError,
    "closed the connection in the middle of SOCKS5",
  );
});

/** What a proxy says, and what a client makes of it. */
const ANSWERS: readonly (readonly [says: string, error: string, code: string, login?: Login])[] = [
  ["\x05\xff", "The SOCKS5 proxy asks for a user name and password", "unreachable"],
  ["\x05\xff", "The SOCKS5 proxy takes no user names and passwords", "unreachable", ME],
  ["\x05\x02", "asks for a way to log in that was not offered (2)", "unreachable"],
  ["\x05\x02\x01\x01", "refused the user name and password", "unreachable", ME],
  ["HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak SOCKS5", "protocol"],
  [replied("\x01"), "did not connect to a.example:80: general failure (reply 1)", "unreachable"],
  [replied("\x02"), "not allowed by its rules (reply 2)", "unreachable"],
  ["\x05\x00\x05\x05\x00\x03\x01x\0\0", "connection refused (reply 5)", "unreachable"],
  [replied("\x06"), "TTL expired (reply 6)", "timeout"],
  [replied("\x63"), "a reason without a name (reply 99)", "unreachable"],
  ["\x05\x00\x05\x00\x00\x09\0\0\0\0\0\0", "there is no address type 9", "protocol"],
  ["\x05\x00\x05", "closed the connection in the middle of SOCKS5", "closed"],
  ["", "closed the connection in the middle of SOCKS5", "closed"],
];

for (const [says, error, code, login = null] of ANSWERS) {
  Deno.test(`a proxy that says ${JSON.stringify(says)}${login ? " to a login" : ""}: ${error}`, async () => {
    const [near, far] = memoryConnPair();
    await far.writeText(says);
    await far.closeWrite();
    const thrown = await assertRejects(() => socksConnect(near, TARGET, { login }), WeirError, error);
    assertEquals([thrown.side, thrown.code], ["server", code]);
  });
}

Deno.test("what SOCKS5 has no room for is refused before a byte is sent", async () => {
  const [near] = memoryConnPair();
  const target = { hostname: "x".repeat(256), port: 80 };
  const long = (login: Login | null, to = TARGET) => () => socksConnect(near, to, { login });
  await assertRejects(long(null, target), WeirError, "host name is longer than 255 bytes");
  await assertRejects(long({ username: "x".repeat(256), password: "" }), WeirError, "user name is longer");
  assertEquals(near.bytesWritten, 0);
});

Deno.test("a reply says what kept weir from connecting", () => {
  const unreachable = (cause: unknown) => new WeirError("server", "unreachable", "", { cause });
  const coded = (code: string) => unreachable(Object.assign(new Error(), { code }));
  const CODES: readonly (readonly [unknown, number])[] = [
    [unreachable(new Deno.errors.ConnectionRefused()), 5],
    [coded("ENETUNREACH"), 3],
    [coded("EHOSTUNREACH"), 4],
    [new WeirError("server", "dns", ""), 4],
    [new WeirError("server", "timeout", ""), 6],
    [new WeirError("weir", "unreachable", "An addon refused it"), 2],
    [new WeirError("client", "loop", ""), 2],
    [new WeirError("server", "closed", ""), 1],
    [new Error("?"), 1],
  ];
  assertEquals(CODES.map(([error]) => replyCodeOf(error)), CODES.map(([, code]) => code));
});
