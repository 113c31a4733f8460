/**
 * Paths into JSON: the part of JSONPath (RFC 9535) that can be followed while the text flows.
 * @module
 */
import { nameOf } from "../bytes.ts";

/** One step of a path, from a value to those in it (with `isDeep`, at any depth). */
export interface Step {
  /** A member's name, an element's index, or null for all of them. */
  readonly child: string | number | null;
  readonly isDeep: boolean;
}

const FORMS = '$ .name ["name"] [n] [*] .* ..name';

/** Reads a path; none of its steps is the value as a whole. @throws {TypeError} when it is none. */
export function readPath(path: unknown): Step[] {
  if (typeof path !== "string") throw new TypeError(`A path must be a string, not ${nameOf(path)}.`);
  if (path[0] !== "$") throw wrong(path, 0);
  const steps: Step[] = [];
  for (let at = 1; at < path.length;) {
    const step =
      /^(\.\.|\.)?(?:\[(?:(\d+)|(\*)|("(?:[^"\\]|\\.)*")|'((?:[^'\\]|\\.)*)')\]|(\*)|([^.[\]*'"\s]+))/su
        .exec(path.slice(at));
    if (step === null) throw wrong(path, at);
    const [all, dots, index, star, double, single, bareStar, name] = step;
    // A name has a dot before it, brackets have none or two.
    if ((name ?? bareStar) !== undefined ? dots === undefined : dots === ".") throw wrong(path, at);
    steps.push({
      child: star ?? bareStar
        ? null
        : index !== undefined
        ? Number(index)
        : name ?? textOf(path, at, double, single),
      isDeep: dots === "..",
    });
    at += all.length;
  }
  return steps;
}

function textOf(path: string, at: number, double: string | undefined, single: string | undefined): string {
  const json = double ?? `"${single!.replaceAll("\\'", "'").replace(/(?<!\\)"/g, '\\"')}"`;
  try {
    return JSON.parse(json);
  } catch {
    throw wrong(path, at);
  }
}

function wrong(path: string, at: number): TypeError {
  return new TypeError(
    `The path ${JSON.stringify(path)} cannot be read from ${
      JSON.stringify(path.slice(at))
    } on; a path is made of ${FORMS}.`,
  );
}
