import { assertEquals, assertRejects } from "@std/assert";
import { parseHtpasswd } from "../../../addons/auth/htpasswd.ts";

/** Written by Apache's htpasswd: -B -C 10, -m, -s, -m. */
const FILE = `# who may use it
bob:$2y$10$cHcacpZH1i04kyB8/5xZ3.GwWXp42D6MptK.aT.UGQOWvavgnzExy

amy:$apr1$eag1Qxdc$S6G.C9o.1e2YRGov4q7/8/
sue:{SHA}X/PwXCzHD5zN02tZ/woy93jtzyY=\r
eve:$apr1$GZp3yQrm$xbm.QYwqSP1W6XSZCv8tc.:a comment
`;
const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("bcrypt, MD5 and SHA of Apache's htpasswd: the right password and no other", async () => {
  const users = await parseHtpasswd(FILE, "users");
  assertEquals([...users.keys()], ["bob", "amy", "sue", "eve"]);
  const right: Record<string, string> = { bob: "p:w d", amy: "mdfive", sue: "shaone", eve: "pässwörd" };
  for (const [user, hashed] of users) {
    const seen: boolean[] = [];
    for (
      const guess of [right[user], "", `${right[user]}x`, right[user].toUpperCase(), "x".repeat(100_000)]
    ) {
      seen.push(await hashed.isRight(bytes(guess)));
    }
    assertEquals(seen, [true, false, false, false, false], user);
    assertEquals(await hashed.isRight(new Uint8Array([0xff, 0xfe])), false);
  }
});

Deno.test("a line that is no user, or hashed in another way, is an error that names line and user, and not the hash", async () => {
  const cases: [string, RegExp | string][] = [
    ["\n\nalice", 'users, line 3: there is no ":" behind a user name'],
    ["alice:secret", 'users, line 1: the password of "alice" is hashed in a way that weir does not know'],
    ["# x\nalice:$6$salt$hash", 'users, line 2: the password of "alice"'],
    ["alice:{SHA}short", 'users, line 1: the password of "alice"'],
    ["alice:$2y$10$short", 'users, line 1: the password of "alice"'],
    ["alice:", 'users, line 1: the password of "alice"'],
  ];
  for (const [text, message] of cases) {
    const error = await assertRejects(() => parseHtpasswd(text, "users"), Error, message as string);
    assertEquals(/secret|salt/.test((error as Error).message), false);
  }
});
