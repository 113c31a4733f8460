import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { parsePolicyFile } from "../../../src/egress/policy/file.ts";
import { PolicyError } from "../../../src/egress/error.ts";
import { readSecrets, type Secret } from "../../../src/egress/secrets/secret.ts";

const VALUE = "sk-ant-api03-verysecret0123456789";
const ID = "0123456789abcdef0123456789abcdef";

async function read(text: string, env: Record<string, string> = {}, path = "p"): Promise<Secret[]> {
  const file = await parsePolicyFile(path, text);
  return await readSecrets(file, { env: (name) => env[name], id: () => ID });
}

Deno.test("a value comes from the variable of that name, another one, a file, or a command", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${directory}/token`, "from a file 1\n");
    const secrets = await read(
      `secrets:
  A: { from: env, hosts: [a.b] }
  B: { from: "env:OTHER", hosts: [a.b], placeholder: "b-{id}" }
  C: { from: "file:token", hosts: [a.b], placeholder: "c-{id}" }
  D: { from: { command: [printf, "from a command\\n"] }, hosts: [a.b], placeholder: fixed-placeholder }
`,
      { A: "value of A", OTHER: "value of OTHER" },
      `${directory}/egress.yaml`,
    );
    assertEquals(secrets.map((secret) => secret.reveal()), [
      "value of A",
      "value of OTHER",
      "from a file 1",
      "from a command",
    ]);
    assertEquals(secrets.map(({ placeholder }) => placeholder), [
      `weir${ID}`,
      `b-${ID}`,
      `c-${ID}`,
      "fixed-placeholder",
    ]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a placeholder begins as the value does, where that is known to be a key's beginning", async () => {
  for (
    const [value, prefix] of [[VALUE, "sk-ant-api03-"], ["ghp_0123456789", "ghp_"], [
      "sk-ant-x1234567",
      "sk-ant-",
    ], ["x".repeat(9), ""]]
  ) {
    const [secret] = await read("secrets:\n  A: { from: env, hosts: [a.b] }", { A: value });
    assertEquals(secret.placeholder, `${prefix}weir${ID}`);
  }
});

/** What is wrong with a value, and what is said. */
const BAD: readonly (readonly [string, string, Record<string, string>, string])[] = [
  ["no variable", "from: env", {}, "p:2: the secret A has no value: the variable A is not set."],
  ["empty", "from: env", { A: "" }, "p:2: the secret A has no value: the variable A is empty."],
  [
    "short",
    "from: env",
    { A: "1234567" },
    "p:2: the secret A has no value: the variable A has less than 8 bytes: it would be found everywhere.",
  ],
  [
    "line break",
    "from: env",
    { A: "12345678\n9" },
    "p:2: the secret A has no value: the variable A has line breaks in it.",
  ],
  [
    "no file",
    "from: 'file:/nowhere/x'",
    {},
    "p:2: the secret A has no value: the file /nowhere/x is not there.",
  ],
  [
    "no program",
    "from: { command: [weir-nothing] }",
    {},
    "p:2: the secret A has no value: weir-nothing is not found.",
  ],
  [
    "failing program",
    "from: { command: ['false'] }",
    {},
    "p:2: the secret A has no value: false has failed with status 1.",
  ],
];

for (const [name, from, env, message] of BAD) {
  Deno.test(`a secret without a value that can be used is an error with its line: ${name}`, async () => {
    const error = await assertRejects(
      () => read(`secrets:\n  A: { ${from}, hosts: [a.b] }`, env),
      PolicyError,
    );
    assertEquals(error.message, message);
  });
}

Deno.test("a line break at the end of a value is cut off", async () => {
  const [secret] = await read("secrets:\n  A: { from: env, hosts: [a.b] }", { A: "qwertyui\n" });
  assertEquals(secret.reveal(), "qwertyui");
});

Deno.test("placeholders that are the same, or have a value in them, are errors that do not show the value", async () => {
  const text =
    "secrets:\n  A: { from: env, hosts: [a.b], placeholder: 'x-{id}' }\n  B: { from: env, hosts: [a.b], placeholder: 'x-{id}' }";
  const env = { A: "qwertyui", B: "zyxwvuts" };
  const error = await assertRejects(() => read(text, env), PolicyError);
  assertStringIncludes(error.message, "p:3: the secrets A and B have placeholders");
  const own = "secrets:\n  A: { from: env, hosts: [a.b], placeholder: 'qwertyui-x' }";
  const other = await assertRejects(() => read(own, env), PolicyError);
  assertEquals(other.message, "p:2: the placeholder of A has the value of A in it.");
});

Deno.test("what is printed of a secret has no value in it", async () => {
  const [secret] = await read("secrets:\n  A: { from: env, hosts: [a.b] }", { A: VALUE });
  for (
    const text of [
      Deno.inspect(secret, { depth: 9, showHidden: true }),
      JSON.stringify(secret),
      String(secret),
    ]
  ) {
    assertEquals(text.includes("verysecret"), false, text);
  }
});
