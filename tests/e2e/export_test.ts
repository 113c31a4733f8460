/** The option `export`: flows in another form (flows.md, "Print and export"). @module */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { encodeFlow, makeHttpFlow, makeTcpFlow } from "weir";
import { echo, origin } from "./support/origin.ts";
import { runWeir } from "./support/weir.ts";

Deno.test("flows of a file are printed as commands, one that runs gives what was recorded", async () => {
  await using server = await origin(echo);
  const body = "a'b\"c\0\xff\n$HOME", path = await Deno.makeTempFile();
  try {
    const bytes = Uint8Array.from(body, (char) => char.charCodeAt(0));
    const flows = [
      makeHttpFlow({
        request: { url: server.url("/a"), method: "POST", body: bytes, headers: { "X-A": "it's" } },
      }),
      makeHttpFlow({ request: { url: "http://h/b", body: null }, response: { body: null } }),
      makeTcpFlow(),
    ];
    using file = await Deno.open(path, { write: true });
    for (const flow of flows) await file.write(encodeFlow(flow).bytes());

    const { stdout } = await runWeir({ args: ["-nr", path, "~u", "/a", "--export", "curl"] });
    const { stdout: output } = await new Deno.Command("sh", { args: ["-c", stdout], stderr: "null" })
      .output();
    assertEquals(output, bytes);
    assertEquals(server.requests[0].get("x-a"), "it's");

    const all = await runWeir({ args: ["-nr", path, "--set", "export=curl"] });
    assertEquals(all.stdout.split("\n\n").length, 2);
    assertStringIncludes(all.stderr, "export: the body of the request of GET http://h/b was not kept.");
    assertStringIncludes(all.stderr, "A raw TCP conversation has no request");
    const raw = await runWeir({ args: ["-nr", path, "~u /b", "--export", "raw_request"] });
    assertEquals(raw.stdout.trimEnd(), "GET /b HTTP/1.1");
  } finally {
    await Deno.remove(path);
  }
});
