/**
 * A secret: its value, which nothing prints, and the placeholder that the program holds in its place.
 * @module
 */
import { dirname } from "node:path";
import { messageOf } from "../../errors.ts";
import { PolicyError } from "../error.ts";
import type { PolicyFile, SecretInit, SecretPlace } from "../policy/file.ts";
import { Hosts } from "./places.ts";
import { knownPrefix } from "./prefixes.ts";
import { readValue } from "./source.ts";

/** Bytes of all values together: what `redactStream` takes. */
const MAX_BYTES = 16 * 1024;

/** A secret with its value. */
export class Secret {
  readonly name: string;
  /** Where it stands in the policy. */
  readonly line: number;
  readonly placeholder: string;
  readonly hosts: Hosts;
  readonly places: readonly SecretPlace[];
  /** It may be sent without TLS. */
  readonly plain: boolean;
  readonly #value: string;

  /** `id`: the digits in its placeholder. */
  constructor(init: SecretInit, value: string, id: string) {
    this.name = init.name;
    this.line = init.line;
    this.hosts = new Hosts(init.hosts);
    this.places = init.places;
    this.plain = init.plain;
    this.placeholder = (init.placeholder ?? `${knownPrefix(value)}weir{id}`).replaceAll("{id}", id);
    this.#value = value;
  }

  /** The value. It must get into nothing but a request to its hosts. */
  reveal(): string {
    return this.#value;
  }
}

/** What {@linkcode readSecrets} works with. */
export interface SecretsInit {
  env(name: string): string | undefined;
  /** 32 hexadecimal digits for the placeholder of a secret: the same for one name as long as weir runs. */
  id(name: string): string;
}

/** Reads the values of all secrets of a policy. @throws {PolicyError} for one that has none, or none that can be used. */
export async function readSecrets(file: PolicyFile, { env, id }: SecretsInit): Promise<Secret[]> {
  const secrets: Secret[] = [];
  const fail = (line: number, what: string) => {
    throw new PolicyError(file.path, line, what);
  };
  for (const init of file.secrets) {
    try {
      const value = await readValue(init, { directory: dirname(file.path), env });
      secrets.push(new Secret(init, value, id(init.name)));
    } catch (error) {
      fail(init.line, `the secret ${init.name} has no value: ${messageOf(error)}.`);
    }
  }
  const encoder = new TextEncoder();
  const total = secrets.reduce((sum, secret) => sum + encoder.encode(secret.reveal()).length, 0);
  if (total > MAX_BYTES) {
    fail(
      file.secrets[0].line,
      `the secrets have ${total} bytes together; at most ${MAX_BYTES} can be looked for.`,
    );
  }
  secrets.forEach((secret, i) => {
    for (const other of secrets.slice(0, i)) {
      const names = `the secrets ${other.name} and ${secret.name}`;
      if (other.placeholder.includes(secret.placeholder) || secret.placeholder.includes(other.placeholder)) {
        fail(secret.line, `${names} have placeholders of which one has the other in it: each needs its own.`);
      }
    }
    for (const other of secrets) {
      if (!secret.placeholder.includes(other.reveal())) continue;
      fail(secret.line, `the placeholder of ${secret.name} has the value of ${other.name} in it.`);
    }
  });
  return secrets;
}
