/**
 * The floors of the house: who may import whom. The README's "Working on weir" shows them; this file is what holds.
 *
 * - A room imports only from floors below its own.
 * - From outside a room is entered by its `mod.ts`, where it has one.
 * - No files import each other in a circle, types included.
 * - Addons use what addon authors have: the module `weir`, libraries, and files of their own (or a room of their own).
 */
import { assertEquals } from "@std/assert";
import { importedNames, type Imports, readImports } from "./support/imports.ts";

/** From the ground up. A name is a folder in `src/`, a file there, or what stands beside `src/`. */
const FLOORS: readonly (readonly string[])[] = [
  [
    "build_kind",
    "errors",
    "escape",
    "http_grammar",
    "internals",
    "latin1",
    "memory_budget",
    "output",
    "shown",
    "std",
    "temporary",
    "timing",
    "version",
  ],
  ["net", "options"],
  ["streams"],
  ["http"],
  ["http1", "http2", "websocket", "tls", "socks"],
  ["flow"],
  ["filter", "formats"],
  ["hooks"],
  // The public module `weir`.
  ["mod"],
  // What some of weir's own addons are made of.
  ["egress"],
  ["proxy", "addons", "record", "web", "store"],
  ["cli", "embed"],
  ["main"],
];

/** The room of a file: `src/http1/head.ts` is in http1, `src/errors.ts` is errors. */
function roomOf(path: string): string {
  const [place, name] = path.split("/");
  return (place === "src" ? name : place).replace(/\.ts$/, "");
}

function floorOf(path: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(roomOf(path)));
}

/** Files that belong to no floor, and imports that go up or across. */
function upwards(imports: Imports): string[] {
  const wrong: string[] = [];
  for (const [path, targets] of imports) {
    if (floorOf(path) < 0) wrong.push(`${path} is in no room of FLOORS`);
    for (const target of targets) {
      const isSameRoom = roomOf(path) === roomOf(target);
      // The files of the ground floor may use each other: none of them is a room.
      const isGround = floorOf(path) === 0 && floorOf(target) === 0;
      if (isSameRoom || isGround || target === "deno.json" || floorOf(target) < floorOf(path)) continue;
      wrong.push(`${path} (floor ${floorOf(path)}) imports ${target} (floor ${floorOf(target)})`);
    }
  }
  return wrong;
}

/** Imports into a folder that has a `mod.ts`, from outside of it, past that `mod.ts`. */
function pastDoors(imports: Imports): string[] {
  const wrong: string[] = [];
  for (const [path, targets] of imports) {
    for (const target of targets) {
      const door = doorOf(target, imports);
      if (door === null || target === door || path.startsWith(folderOf(door))) continue;
      wrong.push(`${path} imports ${target}; it must come through ${door}`);
    }
  }
  return wrong;
}

/** The `mod.ts` of the nearest folder around a file that has one; null where there is none below `src/` and `addons/`. */
function doorOf(path: string, imports: Imports): string | null {
  for (let folder = folderOf(path); folder.split("/").length > 2; folder = folderOf(folder.slice(0, -1))) {
    if (imports.has(`${folder}mod.ts`)) return `${folder}mod.ts`;
  }
  return null;
}

/** With its slash. */
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}

/** The smallest circle through each file that is in one, each circle once, as `a -> b -> a`. */
function circles(imports: Imports): string[] {
  const found = new Set<string>();
  for (const start of imports.keys()) {
    const circle = wayBack(start, imports);
    if (circle === null) continue;
    const first = circle.indexOf(circle.toSorted()[0]);
    const turned = [...circle.slice(first), ...circle.slice(0, first)];
    found.add([...turned, turned[0]].join(" -> "));
  }
  return [...found];
}

function wayBack(start: string, imports: Imports): string[] | null {
  const from = new Map<string, string>();
  const waiting = [start];
  for (const path of waiting) {
    for (const target of imports.get(path) ?? []) {
      if (target === start) {
        const way = [path];
        while (way[0] !== start) way.unshift(from.get(way[0])!);
        return way;
      }
      if (from.has(target)) continue;
      from.set(target, path);
      waiting.push(target);
    }
  }
  return null;
}

/** Rooms that are there for one addon of weir's own: they are too large for a file beside it, and the command line uses them as well. */
const ROOMS_OF_ADDONS = ["egress"];

/** What addons import of weir that addon authors could not. */
function privileged(imports: Imports): string[] {
  const wrong: string[] = [];
  for (const [path, targets] of imports) {
    if (roomOf(path) !== "addons") continue;
    for (const target of targets) {
      const isOwn = ["addons", ...ROOMS_OF_ADDONS].includes(roomOf(target));
      if (!isOwn && target !== "src/mod.ts") wrong.push(`${path} imports ${target}`);
    }
  }
  return wrong;
}

const house = await readImports(new URL("../", import.meta.url), ["src", "addons", "main.ts"]);

Deno.test("every file is on a floor and imports only from floors below", () => {
  assertEquals(upwards(house), []);
});

Deno.test("a room is entered through its mod.ts", () => {
  assertEquals(pastDoors(house), []);
});

Deno.test("no files import each other in a circle", () => {
  assertEquals(circles(house), []);
});

Deno.test("addons import the public module alone", () => {
  assertEquals(privileged(house), []);
});

Deno.test("imports are seen in all their forms, and only there", () => {
  const text = `
/** import { a } from "./comment.ts"; */
// import "./line.ts";
import "./effect.ts";
import one from "./default.ts";
import one, { two } from "./both.ts";
import * as all from "./star.ts";
import type { T } from "./type.ts";
import {
  long,
  type U,
} from "./lines.ts";
import data from "./data.json" with { type: "json" };
export * from "./export_star.ts";
export type * from "./type_star.ts";
export * as named from "./named.ts";
export { x, type Y } from "./export.ts";
export const text = "./text.ts";
export function f() { return "./body.ts"; }
const later = await import("./later.ts");
type Inline = import("./inline.ts").Inline;
`;
  assertEquals(importedNames(text), [
    "./effect.ts",
    "./default.ts",
    "./both.ts",
    "./star.ts",
    "./type.ts",
    "./lines.ts",
    "./data.json",
    "./export_star.ts",
    "./type_star.ts",
    "./named.ts",
    "./export.ts",
    "./later.ts",
    "./inline.ts",
  ]);
});

Deno.test("a house with mistakes: each of them is named", () => {
  const broken: Imports = new Map([
    ["src/errors.ts", ["src/shown.ts"]],
    ["src/shown.ts", []],
    ["src/net/mod.ts", ["src/net/a.ts", "src/http/mod.ts"]],
    ["src/net/a.ts", ["src/net/b.ts"]],
    ["src/net/b.ts", ["src/net/c.ts"]],
    ["src/net/c.ts", ["src/net/a.ts"]],
    ["src/http/mod.ts", []],
    ["src/http1/codec/mod.ts", []],
    ["src/http1/codec/x.ts", []],
    ["src/http1/y.ts", ["src/http1/codec/x.ts"]],
    ["src/http2/mod.ts", ["src/http1/y.ts"]],
    ["src/cellar/a.ts", []],
    ["src/proxy/proxy.ts", ["src/net/a.ts"]],
    ["addons/a.ts", ["src/mod.ts", "addons/b.ts", "src/net/mod.ts"]],
  ]);
  assertEquals(upwards(broken), [
    "src/net/mod.ts (floor 1) imports src/http/mod.ts (floor 3)",
    "src/http2/mod.ts (floor 4) imports src/http1/y.ts (floor 4)",
    "src/cellar/a.ts is in no room of FLOORS",
  ]);
  assertEquals(pastDoors(broken), [
    "src/http1/y.ts imports src/http1/codec/x.ts; it must come through src/http1/codec/mod.ts",
    "src/proxy/proxy.ts imports src/net/a.ts; it must come through src/net/mod.ts",
  ]);
  assertEquals(circles(broken), ["src/net/a.ts -> src/net/b.ts -> src/net/c.ts -> src/net/a.ts"]);
  assertEquals(privileged(broken), ["addons/a.ts imports src/net/mod.ts"]);
});
