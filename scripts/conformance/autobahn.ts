/**
 * The Autobahn test suite (https://github.com/crossbario/autobahn-testsuite): WebSocket as a fuzzing client speaks it, through
 * weir to an echo server and back.
 * @module
 */
import { run, withWeir } from "./running.ts";
import type { Difference, Suite } from "./suite.ts";

export const autobahn: Suite = {
  name: "Autobahn",
  variable: "WSTEST",
  wants: "the program wstest of autobahntestsuite",
  deviations: [],
  async run(path) {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
      socket.binaryType = "arraybuffer";
      socket.onmessage = ({ data }) => socket.send(data);
      return response;
    });
    try {
      return await withWeir(`http://127.0.0.1:${server.addr.port}`, async (port, dir) => {
        const spec = {
          outdir: `${dir}/reports`,
          servers: [{ agent: "weir", url: `ws://127.0.0.1:${port}` }],
          cases: ["*"],
          "exclude-cases": [],
          "exclude-agent-cases": {},
        };
        await Deno.writeTextFile(`${dir}/spec.json`, JSON.stringify(spec));
        const output = await run(path, ["-m", "fuzzingclient", "-s", `${dir}/spec.json`], dir);
        let report: string;
        try {
          report = await Deno.readTextFile(`${dir}/reports/index.json`);
        } catch {
          throw new Error(`wstest wrote no report: ${output.slice(-500)}`);
        }
        return resultsIn(report);
      });
    } finally {
      await server.shutdown();
    }
  },
};

/** As the suite counts: neither an error nor something that a peer may leave out. */
const FINE = new Set(["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"]);

/** What `index.json` says: by agent, by case. */
export function resultsIn(json: string): { total: number; differences: Difference[] } {
  const byAgent: Record<string, Record<string, { behavior: string; behaviorClose: string }>> = JSON.parse(
    json,
  );
  const cases = Object.values(byAgent).flatMap((agent) => Object.entries(agent));
  const differences = cases
    .filter(([, { behavior, behaviorClose }]) => !FINE.has(behavior) || !FINE.has(behaviorClose))
    .map(([name, { behavior, behaviorClose }]) => ({
      name: `case ${name}`,
      detail: `behaviour ${behavior}, close ${behaviorClose}`,
    }));
  return { total: cases.length, differences };
}
