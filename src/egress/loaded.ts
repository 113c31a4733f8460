/**
 * A policy as it is in force: its rules compiled, its secrets read.
 * @module
 */
import { PolicyError } from "./error.ts";
import { parsePolicyFile, type PolicyFile } from "./policy/file.ts";
import { Policy } from "./policy/policy.ts";
import { messageOf } from "../errors.ts";
import { Hosts } from "./secrets/places.ts";
import { Scrubber } from "./secrets/scrubber.ts";
import { readSecrets, type Secret, type SecretsInit } from "./secrets/secret.ts";

/** Fields that are added to requests to some hosts. */
export interface Addition {
  readonly hosts: Hosts;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Everything that one version of a policy file is. */
export interface Loaded {
  readonly file: PolicyFile;
  readonly policy: Policy;
  readonly secrets: readonly Secret[];
  readonly scrubber: Scrubber;
  readonly add: readonly Addition[];
}

/** Reads a policy and the values of its secrets. @throws {PolicyError} one sentence with file and line. */
export async function loadPolicy(path: string, init: SecretsInit): Promise<Loaded> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const what = error instanceof Deno.errors.NotFound ? "there is no such file" : messageOf(error);
    throw new PolicyError(path, null, `the policy cannot be read: ${what}.`);
  }
  const file = await parsePolicyFile(path, text);
  return loadedFrom(file, await readSecrets(file, init));
}

/** A policy in force, from its parts. */
export function loadedFrom(file: PolicyFile, secrets: readonly Secret[]): Loaded {
  return {
    file,
    policy: new Policy(file),
    secrets,
    scrubber: new Scrubber(secrets),
    add: file.add.map(({ hosts, headers }) => ({ hosts: new Hosts(hosts), headers })),
  };
}
