import { assertEquals } from "@std/assert";
import { hasTime, strftime } from "../../addons/flows/paths.ts";

Deno.test("names with the time in them are those that date(1) makes", async () => {
  const format = "%a %A %b %B %d %F %H %I %j %m %M %p %s %S %T %u %w %y %Y %% x";
  for (const time of ["2026-01-04T00:05:09", "2024-12-31T23:59:59", "2025-06-15T12:00:00"]) {
    const date = new Date(time);
    const { stdout } = await new Deno.Command("date", {
      args: ["-d", time, `+${format}`],
      env: { LC_ALL: "C" },
    }).output();
    assertEquals(strftime(format, date), new TextDecoder().decode(stdout).trimEnd());
  }
});

Deno.test("what is no field stays as it is", () => {
  assertEquals(strftime("a%b%Q%", new Date(2026, 0, 1)), "aJan%Q%");
  assertEquals([hasTime("flows.mitm"), hasTime("%H.mitm"), hasTime("50% off")], [false, true, false]);
});
