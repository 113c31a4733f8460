import { assertEquals, assertThrows } from "@std/assert";
import { OptionError, OptionRegistry } from "../../src/options/mod.ts";
import { placesOf } from "../../src/proxy/places.ts";

async function places(mode: string[], listen_port?: number, listen_host = "127.0.0.1"): Promise<string[]> {
  const options = new OptionRegistry();
  await options.update({ mode, listen_host, ...listen_port !== undefined && { listen_port } });
  return placesOf(options).map(({ place, mode }) => `${mode.spec} ${place.hostname} ${place.port}`);
}

Deno.test("a mode listens where it says, else where the options say, else at a port of its own", async () => {
  assertEquals(await places(["regular", "socks5"]), ["regular 127.0.0.1 8080", "socks5 127.0.0.1 1080"]);
  assertEquals(await places(["socks5"], 9000), ["socks5 127.0.0.1 9000"]);
  assertEquals(await places(["socks5@0.0.0.0:1", "regular@2"], 9000, "::1"), [
    "socks5@0.0.0.0:1 0.0.0.0 1",
    "regular@2 ::1 2",
  ]);
  assertEquals((await places(["regular", "socks5", "transparent"], 0)).length, 3);
});

Deno.test("modes that would share a place are named, all addresses being one with each", async () => {
  const shared: [string[], number?][] = [
    [["regular", "transparent"]],
    [["regular", "socks5"], 9000],
    [["regular@1", "socks5@127.0.0.1:1"]],
    [["regular@0.0.0.0:1", "socks5@1"]],
    [["regular@1", "socks5@[::]:1"]],
    [["regular@2", "regular@3", "regular@2"]],
  ];
  for (const [mode, port] of shared) {
    const options = new OptionRegistry();
    await options.update({ mode, ...port !== undefined && { listen_port: port } });
    const text = `option mode: ${mode[0]} and ${mode.at(-1)} would both listen at `;
    assertThrows(() => placesOf(options), OptionError, text);
  }
  assertEquals((await places(["regular@127.0.0.1:1", "socks5@127.0.0.2:1"])).length, 2);
});
