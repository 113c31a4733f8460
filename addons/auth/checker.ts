/**
 * Whether credentials are right, for each form of the option `proxyauth`.
 *
 * Slow hashes are meant to be slow, so that guessing is dear; a proxy that works them out for everybody who asks would pay that
 * price itself. So a password that was found right is known by its digest from then on, and any other of that user is wrong at once,
 * as is one that was found wrong before. All others are hashed, one at a time, and wrong ones are paid for: each client address
 * has some time for them, and all together have some. Who has none left is told to wait, whatever it sends. An unknown user costs
 * the same as a known one, so that the time does not tell which there are.
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { RecentMap } from "../recent_map.ts";
import { Allowance, type AllowanceRate } from "./allowance.ts";
import { type Credentials, isSame } from "./basic.ts";
import type { HashedPassword } from "./htpasswd.ts";

/** "late" is neither: they were not looked at, as too many wrong ones came before. */
export type Verdict = "right" | "wrong" | "late";

/** Tells whether credentials that came from a client address are right. */
export type Checker = (credentials: Credentials, address: string) => Verdict | Promise<Verdict>;

/** For wrong guesses from one address, and from all of them. */
const PER_ADDRESS: AllowanceRate = { burstMs: 250, share: 0.05 };
const TOGETHER: AllowanceRate = { burstMs: 2_000, share: 0.25 };
/** Work that takes less is not counted: it costs no more than the request itself. */
const FREE_MS = 0.2;
/** So many addresses, and wrong guesses, are remembered. */
const MAX_ADDRESSES = 1024;
const MAX_WRONG = 1024;
/** So many guesses may wait to be hashed. */
const MAX_WAITING = 64;

/** Whoever sends any credentials gets in. */
export const anyCredentials: Checker = () => "right";

/** One user, one password. */
export function singleUser(expected: Credentials): Checker {
  return ({ user, password }) => {
    const isUser = isSame(user, expected.user), isPassword = isSame(password, expected.password);
    return isUser && isPassword ? "right" : "wrong";
  };
}

/** The users of a file; `now` counts milliseconds. */
export function manyUsers(
  users: ReadonlyMap<string, HashedPassword>,
  now: () => number = () => performance.now(),
): Checker {
  const hashes = new HashChecker(users, now);
  return (credentials, address) => hashes.check(credentials, address);
}

class HashChecker {
  readonly #users: ReadonlyMap<string, HashedPassword>;
  readonly #now: () => number;
  /** Hashed for users that there are not. */
  readonly #decoy: HashedPassword;
  readonly #key = randomBytes(32);
  /** Digests of passwords that were found right: one for each user at most. */
  readonly #right = new Map<string, Uint8Array>();
  readonly #wrong = new RecentMap<string, true>(MAX_WRONG);
  readonly #underWay = new Map<string, Promise<Verdict>>();
  readonly #allowances = new RecentMap<string, Allowance>(MAX_ADDRESSES);
  readonly #together: Allowance;
  #last: Promise<unknown> = Promise.resolve();

  constructor(users: ReadonlyMap<string, HashedPassword>, now: () => number) {
    this.#users = users;
    this.#now = now;
    this.#decoy = [...users.values()].reduce((slowest, one) => one.cost > slowest.cost ? one : slowest);
    this.#together = new Allowance(TOGETHER, now());
  }

  check(credentials: Credentials, address: string): Verdict | Promise<Verdict> {
    const user = Buffer.from(credentials.user).toString("latin1");
    const hashed = this.#users.get(Buffer.from(credentials.user).toString("utf8"));
    const password = (hashed ?? this.#decoy).significant(credentials.password);
    const digest = createHmac("sha256", this.#key).update(`${user.length}:${user}`).update(password).digest();
    const right = this.#right.get(user);
    if (right !== undefined) return timingSafeEqual(right, digest) ? "right" : "wrong";
    const id = digest.toString("base64");
    if (this.#wrong.get(id)) return "wrong";
    const underWay = this.#underWay.get(id);
    if (underWay !== undefined) return underWay;
    if (this.#underWay.size >= MAX_WAITING || this.#isLate(address)) return "late";
    const verdict = this.#last.then(() => this.#hash(hashed, password, address)).then((verdict) => {
      if (verdict === "right") this.#right.set(user, digest);
      else if (verdict === "wrong") this.#wrong.set(id, true);
      return verdict;
    }).finally(() => this.#underWay.delete(id));
    this.#last = verdict.catch(() => {});
    this.#underWay.set(id, verdict);
    return verdict;
  }

  /** Its turn has come; those before it may have used the time up. */
  async #hash(hashed: HashedPassword | undefined, password: Uint8Array, address: string): Promise<Verdict> {
    if (this.#isLate(address)) return "late";
    const before = this.#now();
    const isRight = await (hashed ?? this.#decoy).isRight(password) && hashed !== undefined;
    const after = this.#now(), spent = after - before;
    if (!isRight && spent > FREE_MS) {
      this.#allowance(address).spend(spent, after);
      this.#together.spend(spent, after);
    }
    return isRight ? "right" : "wrong";
  }

  #isLate(address: string): boolean {
    const now = this.#now();
    return this.#together.waitMs(now) > 0 || (this.#allowances.get(address)?.waitMs(now) ?? 0) > 0;
  }

  #allowance(address: string): Allowance {
    let allowance = this.#allowances.get(address);
    if (allowance === undefined) {
      this.#allowances.set(address, allowance = new Allowance(PER_ADDRESS, this.#now()));
    }
    return allowance;
  }
}
