import { assertEquals } from "@std/assert";
import { autobahn, resultsIn as autobahnResults } from "../../../scripts/conformance/autobahn.ts";
import { h2spec, resultsIn as h2specResults } from "../../../scripts/conformance/h2spec.ts";
import { llhttp } from "../../../scripts/conformance/llhttp.ts";
import { judge, type Suite } from "../../../scripts/conformance/suite.ts";

const VARIABLE = "WEIR_TEST_SUITE";

async function judged(path: string | null, suite: Partial<Suite>): Promise<[boolean, string[]]> {
  const lines: string[] = [];
  if (path === null) Deno.env.delete(VARIABLE);
  else Deno.env.set(VARIABLE, path);
  try {
    const isRight = await judge({
      name: "suite",
      variable: VARIABLE,
      wants: "its path",
      deviations: [{ found: /^b: /, reason: "on purpose" }],
      run: () => Promise.resolve({ total: 3, differences: [] }),
      ...suite,
    }, (line) => lines.push(line));
    return [isRight, lines];
  } finally {
    Deno.env.delete(VARIABLE);
  }
}

Deno.test("a suite that is not there is skipped, and it is said what to do", async () => {
  assertEquals(await judged(null, {}), [true, [`suite: skipped, set ${VARIABLE} to its path`]]);
  assertEquals(await judged("/no/such", {}), [
    true,
    [`suite: skipped, ${VARIABLE} names /no/such, which is not there`],
  ]);
});

Deno.test("differences that are known are told with their reason; others are a failure", async () => {
  const known = { name: "b", detail: "differs" }, other = { name: "c", detail: "fails" };
  const ran = (...differences: typeof known[]) => ({ run: () => Promise.resolve({ total: 3, differences }) });
  assertEquals(await judged("/tmp", ran(known)), [true, [
    "suite: 2 of 3 as it says, 1 known to differ, 0 not",
    "  known: b: on purpose",
  ]]);
  assertEquals(await judged("/tmp", ran(known, other)), [false, [
    "suite: 1 of 3 as it says, 1 known to differ, 1 not",
    "  known: b: on purpose",
    "  UNEXPECTED: c: fails",
  ]]);
});

Deno.test("llhttp's cases are read from its Markdown and given to both legs", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${dir}/test/request`, { recursive: true });
    await Deno.mkdir(`${dir}/test/response`, { recursive: true });
    const given = (title: string, type: string, input: string, log: string) =>
      `## ${title}\n\n<!-- meta={"type": "${type}"} -->\n\`\`\`http\n${input}\n\`\`\`\n\n\`\`\`log\n${log}\n\`\`\`\n\n`;
    await Deno.writeTextFile(
      `${dir}/test/request/a.md`,
      given("fine", "request", "GET / HTTP/1.1\nA: b\n\n", "off=0 message begin") +
        given("refused", "request", "GET / HTTP/1.1\nA : b", 'off=0 error code=10 reason="Invalid header"') +
        given("taken", "request", "GET / HTTP/1.1\nA: b\n\n", 'off=0 error code=10 reason="Nobody knows"') +
        given("lenient", "request-lenient-all", "x\n\n", "off=0 message begin"),
    );
    await Deno.writeTextFile(
      `${dir}/test/response/b.md`,
      given(
        "escaped",
        "response",
        "HTTP/1.1 200 OK\nA: \\x01\n\n",
        'off=0 error code=10 reason="Invalid header"',
      ) +
        given("refused here", "response", "HTTP/1.1 200 OK\nA: \\f\n\n", "off=0 message begin"),
    );
    assertEquals(await llhttp.run(dir), {
      total: 5,
      differences: [
        { name: "request/a.md: taken", detail: 'llhttp says "Nobody knows", weir takes it' },
        {
          name: "response/b.md: refused here",
          detail: 'weir says "The response\'s header block has the control character 0x0c.", llhttp takes it',
        },
      ],
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("h2spec's and Autobahn's reports are read", () => {
  const xml = `<testsuites><testsuite name="5.1" tests="3">
    <testcase package="http2/5.1" classname="closed: Sends a DATA frame" time="0.1"></testcase>
    <testcase package="http2/5.1" classname="idle" time="0.1"/>
    <testcase package="http2/6.1" classname="Sends x" time="0.1"><failure>Expect: GOAWAY
      Actual: none</failure></testcase></testsuite></testsuites>`;
  assertEquals(h2specResults(xml), {
    total: 3,
    differences: [{ name: "http2/6.1: Sends x", detail: "Expect: GOAWAY Actual: none" }],
  });
  const json = JSON.stringify({
    weir: {
      "1.1.1": { behavior: "OK", behaviorClose: "OK" },
      "6.4.1": { behavior: "NON-STRICT", behaviorClose: "OK" },
      "7.1.1": { behavior: "OK", behaviorClose: "FAILED" },
    },
  });
  assertEquals(autobahnResults(json), {
    total: 3,
    differences: [{ name: "case 7.1.1", detail: "behaviour OK, close FAILED" }],
  });
});

Deno.test("the programs are run against a weir that is up, and their reports are what counts", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const program = async (name: string, script: string) => {
      await Deno.writeTextFile(`${dir}/${name}`, `#!/bin/bash\n${script}\n`, { mode: 0o755 });
      return `${dir}/${name}`;
    };
    // Each fails its one case unless weir answers at the port that it was given.
    const h2 = await program(
      "h2spec",
      `while [ $# -gt 0 ]; do case $1 in -p) port=$2;; -j) report=$2;; esac; shift; done
      exec 3<>/dev/tcp/127.0.0.1/$port && printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' >&3
      grep -q hello <&3 && inner= || inner='<failure>no answer</failure>'
      echo "<testcase package='x' classname=\\"y\\">$inner</testcase>" > $report; exit 1`,
    );
    assertEquals(await h2spec.run(h2), { total: 2, differences: [] });
    const ws = await program(
      "wstest",
      `spec=$4; url=$(grep -o 'ws://[^"]*' $spec); out=$(grep -o '"outdir":"[^"]*' $spec | cut -d'"' -f4); mkdir -p $out
      exec 3<>/dev/tcp/127.0.0.1/\${url##*:} && close=OK || close=FAILED
      echo '{"weir":{"1.1":{"behavior":"OK","behaviorClose":"'$close'"}}}' > $out/index.json`,
    );
    assertEquals(await autobahn.run(ws), { total: 1, differences: [] });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
