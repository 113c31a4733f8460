/**
 * YAML with the line of every key and value (YAML 1.2), for messages that say where.
 * @module
 */
import type { Node, Pair } from "yaml";
import { messageOf } from "../../errors.ts";
import { shortened, shown } from "../../shown.ts";
import { PolicyError } from "../error.ts";

/** A value and the line on which it begins. */
export type Yaml = YamlMap | YamlList | YamlScalar;

/** Keys and values in their order; each key once. */
export interface YamlMap {
  readonly kind: "map";
  readonly line: number;
  readonly entries: readonly YamlEntry[];
}

/** A key with its value. */
export interface YamlEntry {
  readonly key: string;
  readonly line: number;
  readonly value: Yaml;
}

/** Several values. */
export interface YamlList {
  readonly kind: "list";
  readonly line: number;
  readonly items: readonly Yaml[];
}

/** Text, a number, a boolean or null. */
export interface YamlScalar {
  readonly kind: "scalar";
  readonly line: number;
  readonly value: string | number | bigint | boolean | null;
}

/** Reads a file's text; an empty one is an empty map. @throws {PolicyError} when it is not YAML. */
export async function parseYaml(path: string, text: string): Promise<Yaml> {
  // Imported here: without a policy nobody needs it.
  const yaml = await import("yaml");
  const lineCounter = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: true });
  const lineOf = (offset: number) => lineCounter.linePos(offset).line;
  const [error] = document.errors;
  if (error !== undefined) {
    const sentence = messageOf(error).split("\n")[0].replace(/[.:]+$/, "");
    throw new PolicyError(path, lineOf(error.pos[0]), `not YAML: ${shortened(sentence)}.`);
  }
  const convert = (node: unknown, line: number): Yaml => {
    if (node === null) return { kind: "scalar", line, value: null };
    if (yaml.isAlias(node)) {
      throw new PolicyError(
        path,
        lineOf(node.range![0]),
        `write the value instead of the alias *${node.source}.`,
      );
    }
    const at = (node as Node).range === null || (node as Node).range === undefined
      ? line
      : lineOf((node as Node).range![0]);
    if (yaml.isMap(node)) {
      return { kind: "map", line: at, entries: node.items.map((pair) => entryOf(pair as Pair, at)) };
    }
    if (yaml.isSeq(node)) {
      return { kind: "list", line: at, items: node.items.map((item) => convert(item, at)) };
    }
    const value = yaml.isScalar(node) ? node.value : undefined;
    if (value === null || ["string", "number", "bigint", "boolean"].includes(typeof value)) {
      return { kind: "scalar", line: at, value: value as YamlScalar["value"] };
    }
    throw new PolicyError(path, at, `${shown(value)} is neither text nor number, list or map.`);
  };
  const entryOf = ({ key, value }: Pair, line: number): YamlEntry => {
    const name = convert(key, line);
    if (name.kind !== "scalar") throw new PolicyError(path, name.line, "a key must be text.");
    return { key: String(name.value), line: name.line, value: convert(value, name.line) };
  };
  return document.contents === null ? { kind: "map", line: 1, entries: [] } : convert(document.contents, 1);
}
