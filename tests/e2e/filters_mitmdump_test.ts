/** The same filters give the same flows in weir and in mitmdump, on the same file (flows.md, "Filter language"). @module */
import { assert, assertEquals } from "@std/assert";
import { encodeFlow, type Flow, parseFilter, readFlowFile } from "weir";
import { hasMitmdump } from "./support/mitmdump.ts";

const DATA = new URL("../formats/data/all.mitm", import.meta.url);

/** Written so that neither ignoring case (today's mitmproxy and weir) nor not doing so (8.1.1) makes a difference. */
const FILTERS = [
  "~all",
  "~http",
  "~tcp",
  "~websocket",
  "~q",
  "~s",
  "~e",
  "~a",
  "~marked",
  "~replay",
  "~replayq",
  "~replays",
  "~m GET",
  "~m POST",
  "~m ^P",
  "!~m GET",
  "~c 200",
  "~c 404",
  "~c 101",
  "!~c 200",
  "~u plain",
  "~u 'plain.q'",
  "plain",
  "~u ^https",
  "~u 127.0.0.1:[0-9]+/j",
  "~d 127.0.0.1",
  "~d localhost",
  "~h [Cc]ontent-[Tt]ype",
  "~hq ^[Cc]ontent-[Ll]ength:",
  "~hs [Cc]ontent-[Ll]ength",
  "~hs '[Cc]ontent-[Ll]ength: 2'",
  "~t json",
  "~tq json",
  "~ts text",
  "~ts 'text/(plain|html)'",
  "~b user",
  "~bq user",
  "~bs sent",
  "~b 'sent [0-9]+ bytes'",
  "~b .",
  "!~b .",
  "~comment .",
  "~marker star",
  "~meta blue",
  "~src 127.0.0.1",
  "~src :43920",
  "~dst 127.0.0.1",
  "~dst :443",
  "~m POST & ~c 200",
  "~m POST | ~m PUT",
  "~m POST & !~bq user",
  "~m GET & ~u plain | ~e",
  "~m GET | ~u plain & ~e ",
  "~m GET (~u plain | ~u json)",
  "~q | ~tcp",
  "!(~http & ~s )",
  "!~http",
  "~m GET ~c 200",
  "~u plain | ~u json ~m GET",
  "! ~u plain & ! ~u json & ~http",
  '"~u"',
  "~u '/a?'",
  "~b '\\\\d+ bytes'",
  '~h "[Cc]ontent-[Tt]ype: application/json"',
];

Deno.test("60 filters and more give the same flows in mitmdump", async () => {
  if (!await hasMitmdump()) {
    return console.log("skipped: mitmdump is not installed (apt-get install mitmproxy)");
  }
  const dir = await Deno.makeTempDir({ prefix: "weir-e2e-" });
  try {
    const flows: Flow[] = [];
    using input = await Deno.open(DATA);
    for await (const flow of readFlowFile(input.readable)) flows.push(flow);
    using file = await Deno.open(`${dir}/flows.mitm`, { write: true, create: true });
    for (const flow of flows) await file.write(encodeFlow(flow).bytes());
    await Deno.writeTextFile(`${dir}/filters.json`, JSON.stringify(FILTERS));
    await Deno.writeTextFile(
      `${dir}/script.py`,
      `
import json
from mitmproxy import flowfilter, io
with open("${dir}/filters.json") as f: filters = json.load(f)
with open("${dir}/flows.mitm", "rb") as f: flows = list(io.FlowReader(f).stream())
found = [[i for i, flow in enumerate(flows) if flowfilter.match(text, flow)] for text in filters]
with open("${dir}/found.json", "w") as f: json.dump(found, f)
`,
    );
    const { success, stderr } = await new Deno.Command("mitmdump", {
      args: ["-n", "-q", "--set", `confdir=${dir}`, "-s", `${dir}/script.py`, "-r", `${dir}/flows.mitm`],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const found: number[][] = JSON.parse(await Deno.readTextFile(`${dir}/found.json`));
    const differences = FILTERS.flatMap((text, i) => {
      const filter = parseFilter(text);
      const own = flows.flatMap((flow, at) => filter(flow) ? [at] : []);
      return String(own) === String(found[i]) ? [] : [{ text, weir: own, mitmdump: found[i] }];
    });
    assertEquals(differences, []);
    // Filters that match nothing, or everything, show little.
    const telling = found.filter((list) => list.length > 0 && list.length < flows.length);
    assert(telling.length > 40, `${telling.length}`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
