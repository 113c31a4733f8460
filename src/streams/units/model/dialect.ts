/**
 * What the dialects of language models have in common: where in an event, or in a whole answer, there is
 * text, and of which channel.
 * @module
 */
import type { Edit, Path } from "./splice.ts";

/** One text that a model says, from its first word to its last. */
export interface ModelChannel {
  /** What is said for people, what is thought, or the arguments of a tool's call. */
  readonly kind: "text" | "reasoning" | "tool";
  /** Which of its kind: the choice, candidate, block or output item; of tools the number of the call. */
  readonly index: number;
  /** The tool's name. */
  readonly name?: string;
  /** What the provider calls the tool's call. */
  readonly id?: string;
}

/** A JSON object. */
export type Json = Record<string, unknown>;

/** A piece of text in an event. */
export interface Slot {
  /** The channel's name within the answer; channels that end together begin alike. */
  readonly key: string;
  readonly channel: ModelChannel;
  /**
   * `delta`: what comes next in the channel. `whole`: all of the channel once more. `values`: all of the
   * channel, as the strings in an object.
   */
  readonly kind: "delta" | "whole" | "values";
  /** Where the text is, or where the texts are. */
  readonly texts: readonly { readonly path: Path; readonly text: string }[];
  /** An event that adds text to the channel. */
  insert?(text: string): Json;
  /** What else repeats the text, and what is written there when it changed. */
  readonly mutes?: readonly Edit[];
}

/** What an event says. */
export interface Reading {
  readonly slots: readonly Slot[];
  /** The channels whose key begins with one of these are at their end. */
  readonly ends: readonly string[];
}

/** How one provider writes. It serves one body. */
export interface Dialect {
  /** Reads an event of a stream, or a whole answer. */
  read(event: Json): Reading;
  /** Later events repeat what was said. */
  readonly repeats?: boolean;
}

/** An event without text. */
export const NOTHING: Reading = { slots: [], ends: [] };
/** All channels end. */
export const ALL = [""];

export function objectOf(value: unknown): Json | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : null;
}

export function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

export function stringOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function numberOf(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

/** Those members of `object` that are there. */
export function pick(object: Json, ...names: string[]): Json {
  return Object.fromEntries(names.filter((name) => name in object).map((name) => [name, object[name]]));
}

/** All strings in a value, with their paths. */
export function stringsIn(value: unknown, path: Path): { path: Path; text: string }[] {
  if (typeof value === "string") return [{ path, text: value }];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => stringsIn(inner, [...path, name]));
}
