/**
 * h2spec (https://github.com/summerwind/h2spec): what a server does with frames of HTTP/2 and blocks of HPACK, with and
 * without TLS.
 * @module
 */
import { run, withWeir } from "./running.ts";
import type { Difference, Outcome, Suite } from "./suite.ts";

export const h2spec: Suite = {
  name: "h2spec",
  variable: "H2SPEC",
  wants: "the program h2spec",
  deviations: [],
  async run(path) {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
      await request.bytes();
      return new Response("hello");
    });
    try {
      return await withWeir(`http://127.0.0.1:${server.addr.port}`, async (port, dir) => {
        const plain = await runOnce(path, ["-p", `${port}`], dir);
        const secure = await runOnce(path, ["-p", `${port}`, "-t", "-k"], dir);
        return {
          total: plain.total + secure.total,
          differences: [
            ...plain.differences,
            ...secure.differences.map((one) => ({ ...one, name: `TLS ${one.name}` })),
          ],
        };
      });
    } finally {
      await server.shutdown();
    }
  },
};

type Ran = Exclude<Outcome, { skipped: string }>;

async function runOnce(path: string, args: string[], dir: string): Promise<Ran> {
  const report = `${dir}/h2spec.xml`;
  const output = await run(path, ["-h", "127.0.0.1", "-o", "5", "-j", report, ...args], dir);
  let xml: string;
  try {
    xml = await Deno.readTextFile(report);
  } catch {
    throw new Error(`h2spec wrote no report: ${output.slice(-500)}`);
  }
  return resultsIn(xml);
}

/** What a report in JUnit's format says. */
export function resultsIn(xml: string): Ran {
  const differences: Difference[] = [];
  let total = 0;
  for (
    const [, attributes, content = ""] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([^]*?)<\/testcase>)/g)
  ) {
    total++;
    const failure = /<(?:failure|error)\b[^>]*>([^]*?)<\/(?:failure|error)>/.exec(content);
    if (failure === null) continue;
    const [section, what] = ["package", "classname"].map((name) =>
      new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? ""
    );
    differences.push({ name: `${section}: ${what}`, detail: failure[1].replace(/\s+/g, " ").trim() });
  }
  return { total, differences };
}
