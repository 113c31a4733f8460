/**
 * Serves `http://weir.internal/` to clients of the proxy: weir's CA certificate, and how to install it.
 *
 * The page has no scripts and loads nothing else, so that it works on any device that has the proxy set.
 *
 * @module
 */
import type { Addon, AddonOptions, CertificateFormat, Context, HttpFlow, Loader } from "weir";

/** What each certificate is served as; `x-x509-ca-cert` is what makes phones offer to install it. */
const TYPES: Record<CertificateFormat, string> = {
  pem: "application/x-x509-ca-cert",
  cer: "application/x-x509-ca-cert",
  p12: "application/x-pkcs12",
};
const TEXT = "text/plain; charset=utf-8";

export default class Onboarding implements Addon {
  readonly readsBodies = false;
  #host: string | null = null;

  load(loader: Loader) {
    loader.addOption("onboarding", "bool", true, "Serve the page that helps to install the CA certificate.");
    loader.addOption("onboarding_host", "str", "weir.internal", "Host name under which that page is served.");
  }

  configure(options: AddonOptions) {
    this.#host = options.get<boolean>("onboarding")
      ? options.get<string>("onboarding_host").toLowerCase()
      : null;
  }

  /** Not async: of all other requests none is to wait. */
  request(flow: HttpFlow, ctx: Context): Promise<void> | undefined {
    const isMeant = flow.response === null && flow.request.host.toLowerCase() === this.#host;
    return isMeant ? answerWithPage(flow, ctx) : undefined;
  }
}

async function answerWithPage(flow: HttpFlow, ctx: Context): Promise<void> {
  flow.response = await serve(flow, ctx);
}

async function serve(flow: HttpFlow, ctx: Context): Promise<Response> {
  const path = flow.request.path.replace(/[?#].*$/s, "");
  const format = /^\/cert\/(pem|cer|p12)$/.exec(path)?.[1] as CertificateFormat | undefined;
  if (flow.request.method !== "GET" && flow.request.method !== "HEAD") {
    return answer("Only GET and HEAD.\n", TEXT, 405, { allow: "GET, HEAD" });
  }
  if (format !== undefined) {
    return answer(await ctx.proxy.certificate(format), TYPES[format], 200, {
      "content-disposition": `attachment; filename="weir-ca-cert.${format}"`,
    });
  }
  if (path !== "/" && path !== "") {
    return answer(`There is nothing at ${path}; the page is at /.\n`, TEXT, 404);
  }
  return answer(await page(flow, ctx), "text/html; charset=utf-8", 200, {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  });
}

function answer(
  body: string | Uint8Array,
  type: string,
  status: number,
  more: Record<string, string> = {},
): Response {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
  return new Response(bytes, {
    status,
    headers: {
      "content-type": type,
      "content-length": String(bytes.length),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...more,
    },
  });
}

/** One way to trust the certificate. */
interface Guide {
  readonly name: string;
  readonly format: CertificateFormat;
  /** Steps are done one after another, choices are not. */
  readonly kind: "steps" | "choices";
  /** What to do in words, where what is between backticks is code, and commands to copy. */
  readonly items: readonly (readonly [text: string, ...commands: string[]])[];
}

function guides({ hostname, port }: { hostname: string; port: number }): Guide[] {
  const url = `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  return [
    {
      name: "Linux",
      format: "pem",
      kind: "choices",
      items: [
        [
          "Debian, Ubuntu",
          "sudo cp weir-ca-cert.pem /usr/local/share/ca-certificates/weir.crt",
          "sudo update-ca-certificates",
        ],
        [
          "Fedora, RHEL",
          "sudo cp weir-ca-cert.pem /etc/pki/ca-trust/source/anchors/weir.pem",
          "sudo update-ca-trust",
        ],
        ["Arch", "sudo trust anchor weir-ca-cert.pem"],
        [
          "Chrome and Chromium, which keep a list of their own",
          "certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n weir -i weir-ca-cert.pem",
        ],
      ],
    },
    {
      name: "macOS",
      format: "pem",
      kind: "choices",
      items: [
        [
          "In a terminal",
          "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain weir-ca-cert.pem",
        ],
        ["Or open the file, add it to the keychain System, and set it to Always Trust."],
      ],
    },
    {
      name: "Windows",
      format: "cer",
      kind: "choices",
      items: [
        ["In a terminal run as administrator", "certutil -addstore root weir-ca-cert.cer"],
        [
          "Or open the file: Install Certificate, Local Machine, and place it in Trusted Root Certification Authorities.",
        ],
      ],
    },
    {
      name: "iOS: iPhone and iPad",
      format: "pem",
      kind: "steps",
      items: [
        ["Open this page in Safari, download the certificate, and allow the profile."],
        ["Settings, Profile Downloaded, Install."],
        ["Settings, General, About, Certificate Trust Settings: switch weir on."],
      ],
    },
    {
      name: "Android",
      format: "cer",
      kind: "steps",
      items: [
        ["Download the certificate."],
        ["Settings, Security, Encryption & credentials, Install a certificate, CA certificate: choose the file."],
        ["Browsers trust it now. Apps do only if their network security configuration allows user certificates."],
      ],
    },
    {
      name: "Firefox",
      format: "pem",
      kind: "steps",
      items: [
        ["Settings, Privacy & Security, Certificates, View Certificates, Authorities, Import: choose the file."],
        ["Tick “Trust this CA to identify websites”."],
      ],
    },
    {
      name: "Node.js",
      format: "pem",
      kind: "steps",
      items: [
        ["Certificates are read when Node starts.", "export NODE_EXTRA_CA_CERTS=$PWD/weir-ca-cert.pem"],
        [
          "Node 24 and later take the proxy from the environment; before, `weir exec` brings `fetch` here.",
          `export NODE_USE_ENV_PROXY=1 HTTP_PROXY=${url} HTTPS_PROXY=${url}`,
        ],
      ],
    },
    {
      name: "Python",
      format: "pem",
      kind: "choices",
      items: [
        ["requests, pip", "export REQUESTS_CA_BUNDLE=$PWD/weir-ca-cert.pem PIP_CERT=$PWD/weir-ca-cert.pem"],
        ["urllib, httpx, aiohttp", "export SSL_CERT_FILE=$PWD/weir-ca-cert.pem"],
      ],
    },
    {
      name: "curl",
      format: "pem",
      kind: "choices",
      items: [
        ["Once", `curl -x ${url} --cacert weir-ca-cert.pem https://example.com/`],
        ["For a shell", "export CURL_CA_BUNDLE=$PWD/weir-ca-cert.pem"],
      ],
    },
    {
      name: "Java",
      format: "p12",
      kind: "choices",
      items: [
        [
          "For one program, instead of the certificates that Java brings along",
          "java -Djavax.net.ssl.trustStore=weir-ca-cert.p12 -Djavax.net.ssl.trustStoreType=PKCS12 " +
          `-Dhttps.proxyHost=${hostname} -Dhttps.proxyPort=${port} …`,
        ],
        [
          "For all, beside those",
          "sudo keytool -importcert -cacerts -noprompt -storepass changeit -alias weir -file weir-ca-cert.pem",
        ],
      ],
    },
  ];
}

function guideHtml({ name, format, kind, items }: Guide): string {
  const tag = kind === "steps" ? "ol" : "ul";
  const list = items.map(([text, ...commands]) =>
    `<li>${marked(text)}${commands.length > 0 ? `<pre>${escapeHtml(commands.join("\n"))}</pre>` : ""}</li>`
  );
  return `
        <details name="guide">
          <summary>${escapeHtml(name)}</summary>
          <p>Get <a href="/cert/${format}">weir-ca-cert.${format}</a>, then:</p>
          <${tag}>${list.join("")}</${tag}>
        </details>`;
}

async function page(flow: HttpFlow, ctx: Context): Promise<string> {
  // Where this client has reached the proxy, which may listen at all addresses.
  const cards = guides(flow.clientConn.localAddress).map(guideHtml);
  const certificate = Uint8Array.from(await ctx.proxy.certificate("cer"));
  const fingerprint = new Uint8Array(await crypto.subtle.digest("SHA-256", certificate)).toHex();
  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>weir: trust this proxy</title>
  <style>${CSS}</style>
</head>
<body>
  <main>
    <header>
      <h1>weir</h1>
      <p>Your traffic goes through this proxy. For it to look into HTTPS, your device must trust its certificate.</p>
    </header>
    <section aria-labelledby="get">
      <h2 id="get">Get the certificate</h2>
      <nav>
        <a href="/cert/pem"><b>PEM</b><span>Linux, macOS, iOS, tools</span></a>
        <a href="/cert/cer"><b>CER</b><span>Windows, Android</span></a>
        <a href="/cert/p12"><b>P12</b><span>Java; no password</span></a>
      </nav>
    </section>
    <section aria-labelledby="trust">
      <h2 id="trust">Trust it</h2>
      <div class="guides">${cards.join("")}
      </div>
    </section>
    <section aria-labelledby="or">
      <h2 id="or">Or install nothing</h2>
      <p>On its own machine weir can start a command, or a browser, that trusts it:</p>
      <pre>weir exec -- curl https://example.com/\nweir -p 0 --browser</pre>
    </section>
    <footer>
      <p>Whoever has the key of this certificate can read what a device that trusts it sends. Remove it when you are done.</p>
      <p>SHA-256 <code>${fingerprint.toUpperCase().match(/.{4}/g)!.join(" ")}</code></p>
      <p>weir ${escapeHtml(ctx.proxy.version)}</p>
    </footer>
  </main>
</body>
</html>
`;
}

/** Puts what is between backticks into code. */
function marked(text: string): string {
  return escapeHtml(text).replaceAll(/\`([^\`]+)\`/g, "<code>$1</code>");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll(
    '"',
    "&quot;",
  );
}

const CSS = `
:root {
  --ground: #f6f8f9; --card: #fff; --ink: #17242b; --soft: #51646e; --line: #d7e0e4; --water: #0b6b83; --code: #eef3f5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10181c; --card: #18242a; --ink: #e4edf0; --soft: #9db0b9; --line: #2b3b43; --water: #5cc4dd; --code: #0d1519;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif;
  -webkit-text-size-adjust: none; text-size-adjust: none;
}
main { max-width: 44rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
h1 { margin: 0; font-size: 2.25rem; line-height: 1.2; letter-spacing: -0.03em; color: var(--water); }
h2 { margin: 2rem 0 0.75rem; font-size: 1.125rem; }
header p { margin: 0.5rem 0 0; font-size: 1.125rem; }
a { color: var(--water); }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--water); outline-offset: 2px; }
nav { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.75rem; }
nav a {
  display: block; padding: 0.8rem 1rem; border: 1px solid var(--line); border-radius: 0.6rem;
  background: var(--card); text-decoration: none;
}
nav a:hover { border-color: var(--water); }
nav b { display: block; font-size: 1.125rem; }
nav span { display: block; color: var(--soft); font-size: 0.875rem; }
.guides { border: 1px solid var(--line); border-radius: 0.6rem; background: var(--card); overflow: hidden; }
details + details { border-top: 1px solid var(--line); }
summary { padding: 0.7rem 1rem; font-weight: 600; cursor: pointer; }
summary:focus-visible { outline-offset: -2px; border-radius: 0.6rem; }
summary:hover, details[open] summary { color: var(--water); }
details > p { margin: 0 1rem 0.5rem; }
ol, ul { margin: 0 1rem 1rem; padding-left: 1.25rem; }
li + li { margin-top: 0.6rem; }
code, pre { border-radius: 0.3rem; background: var(--code); font: 0.875em/1.5 ui-monospace, monospace; }
code { padding: 0.1em 0.35em; overflow-wrap: anywhere; -webkit-box-decoration-break: clone; box-decoration-break: clone; }
pre { margin: 0.3rem 0 0; padding: 0.5rem 0.7rem; white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid var(--line); }
section > p { margin: 0 0 0.5rem; }
section > pre { background: var(--card); }
footer { margin-top: 2rem; color: var(--soft); font-size: 0.875rem; }
footer code { padding: 0; background: none; }
`;
