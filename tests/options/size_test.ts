import { assertEquals } from "@std/assert";
import { parseSize } from "../../src/options/size.ts";

Deno.test("a size is an integer with an optional unit, base 1024, in any case", () => {
  const good: [string, number][] = [
    ["0", 0],
    ["1", 1],
    ["10b", 10],
    ["3m", 3145728],
    ["3M", 3145728],
    ["1k", 1024],
    ["2G", 2147483648],
    ["1t", 1099511627776],
    [" 7k ", 7168],
  ];
  for (const [text, bytes] of good) assertEquals(parseSize(text), bytes, text);
});

Deno.test("anything else is no size", () => {
  for (const text of ["", "m", "-1", "+1", "1.5m", "1e3", "0x10", "3mb", "3 m", "k3", "99999999999999999"]) {
    assertEquals(parseSize(text), null, text);
  }
});
