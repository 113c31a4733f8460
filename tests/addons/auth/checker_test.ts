/** Who is let in, and what wrong guesses may cost: with hashes that count, and a clock that only they move. */
import { assert, assertEquals } from "@std/assert";
import { manyUsers, singleUser, type Verdict } from "../../../addons/auth/checker.ts";
import { credentialsOf } from "../../../addons/auth/basic.ts";

const of = (text: string) => credentialsOf(new TextEncoder().encode(text))!;

/** Users whose passwords take so many milliseconds to hash. */
function users(ms: number, passwords: Record<string, string>) {
  let now = 0, hashed = 0;
  const map = new Map(
    Object.entries(passwords).map(([user, password]) => [user, {
      cost: 1,
      significant: (bytes: Uint8Array) => bytes.subarray(0, 72),
      isRight: async (bytes: Uint8Array) => {
        hashed++;
        await Promise.resolve();
        now += ms;
        return new TextDecoder().decode(bytes) === password;
      },
    }]),
  );
  const check = manyUsers(map, () => now);
  return {
    check: (text: string, address = "a"): Verdict | Promise<Verdict> => check(of(text), address),
    pass: (more: number) => now += more,
    get hashed() {
      return hashed;
    },
  };
}

Deno.test("one user: the password may have colons, and both must be right", () => {
  const check = singleUser(of("al:p:w:"));
  const seen = ["al:p:w:", "al:p:w", "al:", ":p:w:", "AL:p:w:", "al2:p:w:"].map((text) =>
    check(of(text), "a")
  );
  assertEquals(seen, ["right", "wrong", "wrong", "wrong", "wrong", "wrong"]);
});

Deno.test("a password that was right is hashed once, and others of that user are wrong without being hashed", async () => {
  const file = users(50, { al: "1", bo: "2" });
  assertEquals(await file.check("al:1"), "right");
  assertEquals([file.check("al:1"), file.check("al:2"), file.check("al:")], ["right", "wrong", "wrong"]);
  assertEquals(file.hashed, 1);
  assertEquals([await file.check("bo:1"), await file.check("bo:2")], ["wrong", "right"]);
});

Deno.test("the same guess is hashed once, also while it is under way", async () => {
  const file = users(50, { al: "1" });
  assertEquals(
    await Promise.all(["al:x", "al:x", "al:x"].map((text) => file.check(text))),
    Array(3).fill("wrong"),
  );
  assertEquals([file.check("al:x"), file.hashed], ["wrong", 1]);
});

Deno.test("of a thousand different guesses few are hashed, all others are late; other clients are not, nor who was right before", async () => {
  const file = users(50, { al: "1", bo: "2" });
  assertEquals(await file.check("bo:2", "a"), "right");
  const seen: Record<string, number> = { right: 0, wrong: 0, late: 0 };
  for (let i = 0; i < 1000; i++) seen[await file.check(`al:guess ${i}`, "a")]++;
  assertEquals(seen, { right: 0, wrong: 6, late: 994 });
  assertEquals(await file.check("al:1", "a"), "late");
  assertEquals(file.check("bo:2", "a"), "right");
  assertEquals(await file.check("al:1", "b"), "right");
});

Deno.test("guesses at once are hashed one after another, and those that come behind the allowance's end are late", async () => {
  const file = users(100, { al: "1" });
  const seen = await Promise.all(Array.from({ length: 200 }, (_, i) => file.check(`al:${i + 2}`)));
  assertEquals(seen.filter((verdict) => verdict === "wrong").length, 3);
  assertEquals(seen.filter((verdict) => verdict === "late").length, 197);
});

Deno.test("the allowance comes back: after a while the right one is looked at", async () => {
  const file = users(100, { al: "1" });
  for (let i = 0; i < 10; i++) await file.check(`al:${i + 2}`);
  assertEquals(await file.check("al:1"), "late");
  file.pass(2_000);
  assertEquals(await file.check("al:1"), "right");
});

Deno.test("many addresses have an allowance together", async () => {
  const file = users(100, { al: "1" });
  let hashed = 0;
  for (let i = 0; i < 1000; i++) if (await file.check(`al:${i + 2}`, `address ${i}`) !== "late") hashed++;
  assert(hashed >= 20 && hashed <= 30, String(hashed));
});

Deno.test("an unknown user costs what a known one does, and is never right", async () => {
  const file = users(50, { al: "1" });
  assertEquals([await file.check("bo:1"), file.hashed], ["wrong", 1]);
  assertEquals([await file.check("bo:1", "b"), file.hashed], ["wrong", 1]);
});

Deno.test("right ones cost nobody's allowance", async () => {
  const names = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`u${i}`, "1"]));
  const file = users(100, names);
  const seen = await Promise.all(Object.keys(names).map((name) => file.check(`${name}:1`)));
  assertEquals(seen, Array(50).fill("right"));
});

Deno.test("bytes that a hash does not look at do not make another password", async () => {
  const file = users(50, { al: "x".repeat(72) });
  assertEquals(await file.check(`al:${"x".repeat(72)}`), "right");
  assertEquals(file.check(`al:${"x".repeat(80)}`), "right");
});
