/**
 * Files of user names and hashed passwords, as Apache's `htpasswd` writes them: bcrypt, `{SHA}` and `$apr1$` (MD5).
 * @module
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { isSame } from "./basic.ts";

/** Longer passwords are no right ones: what hashing costs grows with them. */
const MAX_PASSWORD = 1024;
/** bcrypt looks at no more bytes. */
const BCRYPT_BYTES = 72;
const SHA1_BYTES = 20;

/** The password of one user, hashed. */
export interface HashedPassword {
  /** What finding out costs, beside those of the same file: more is slower. */
  readonly cost: number;
  /** The part of a password that counts. */
  significant(password: Uint8Array): Uint8Array;
  /** True for the right one. */
  isRight(password: Uint8Array): boolean | Promise<boolean>;
}

/**
 * Reads a file: user names, and what their passwords are compared with. The libraries that the hashes need are loaded.
 * @throws {Error} that names the line and the user.
 */
export async function parseHtpasswd(text: string, name: string): Promise<Map<string, HashedPassword>> {
  const users = new Map<string, HashedPassword>();
  let number = 0;
  for (const line of text.split(/\r?\n/)) {
    number++;
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [user, hash] = line.split(":");
    if (hash === undefined) throw new Error(`${name}, line ${number}: there is no ":" behind a user name`);
    const password = await hashedPassword(hash.trim());
    if (password === null) {
      throw new Error(
        `${name}, line ${number}: the password of ${
          JSON.stringify(user)
        } is hashed in a way that weir does not know ` +
          "(it reads bcrypt, {SHA} and $apr1$); write it anew with htpasswd -B",
      );
    }
    users.set(user, password);
  }
  return users;
}

async function hashedPassword(hash: string): Promise<HashedPassword | null> {
  if (/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)) return await bcrypt(hash);
  if (/^\$apr1\$[^$]{0,8}\$[./A-Za-z0-9]{22}$/.test(hash)) return await apr1(hash);
  const sha = /^\{SHA\}([A-Za-z0-9+/]{27}=)$/.exec(hash);
  return sha && sha1(Buffer.from(sha[1], "base64"));
}

async function bcrypt(hash: string): Promise<HashedPassword> {
  const { compare } = (await import("bcryptjs")).default;
  return {
    cost: 2 ** Number(hash.slice(4, 6)),
    significant: (password) => password.subarray(0, BCRYPT_BYTES),
    isRight(password) {
      const text = utf8(password);
      return text !== null && compare(text, hash);
    },
  };
}

async function apr1(hash: string): Promise<HashedPassword> {
  // The module is the function itself; its types say that it has one.
  const md5 = (await import("apache-md5")).default as unknown as (password: string, salt: string) => string;
  return {
    cost: 1,
    significant: whole,
    isRight: (password) =>
      password.length <= MAX_PASSWORD &&
      isSame(Buffer.from(md5(Buffer.from(password).toString("latin1"), hash)), Buffer.from(hash)),
  };
}

function sha1(expected: Uint8Array): HashedPassword | null {
  if (expected.length !== SHA1_BYTES) return null;
  return {
    cost: 0,
    significant: whole,
    isRight: (password) => isSame(createHash("sha1").update(password).digest(), expected),
  };
}

function whole(password: Uint8Array): Uint8Array {
  return password;
}

/** Null for what is no UTF-8, or too long. */
function utf8(bytes: Uint8Array): string | null {
  if (bytes.length > MAX_PASSWORD) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
