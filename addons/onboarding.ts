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

  async request(flow: HttpFlow, ctx: Context) {
    if (flow.request.host.toLowerCase() === this.#host) flow.response = await serve(flow, ctx);
  }
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
  return answer(page(ctx), "text/html; charset=utf-8", 200, {
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

/** One way to install the certificate: a heading, then steps, where what is between backticks is code. */
interface Guide {
  readonly name: string;
  readonly format: CertificateFormat;
  readonly steps: readonly string[];
}

function guides(proxy: string, port: string): Guide[] {
  const [proxyHost, url] = [proxy.replace(/:\d+$/, ""), `http://${proxy}`];
  return [
    {
      name: "Linux",
      format: "pem",
      steps: [
        "Debian, Ubuntu: `sudo cp weir-ca-cert.pem /usr/local/share/ca-certificates/weir.crt` and `sudo update-ca-certificates`.",
        "Fedora, RHEL: `sudo cp weir-ca-cert.pem /etc/pki/ca-trust/source/anchors/weir.pem` and `sudo update-ca-trust`.",
        "Arch: `sudo trust anchor weir-ca-cert.pem`.",
        "Chrome and Chromium keep their own list: `certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n weir -i weir-ca-cert.pem`.",
      ],
    },
    {
      name: "macOS",
      format: "pem",
      steps: [
        "In a terminal: `sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain weir-ca-cert.pem`.",
        "Or open the file, add it to the keychain System, and set it to Always Trust.",
      ],
    },
    {
      name: "Windows",
      format: "cer",
      steps: [
        "In a terminal run as administrator: `certutil -addstore root weir-ca-cert.cer`.",
        "Or open the file: Install Certificate, Local Machine, and place it in Trusted Root Certification Authorities.",
      ],
    },
    {
      name: "iPhone and iPad",
      format: "pem",
      steps: [
        "Open this page in Safari, download the certificate, and allow the profile.",
        "Settings, Profile Downloaded, Install.",
        "Settings, General, About, Certificate Trust Settings: switch weir on.",
      ],
    },
    {
      name: "Android",
      format: "cer",
      steps: [
        "Download the certificate, then look for “CA certificate” in Settings (Security, Encryption & credentials, Install a certificate).",
        "Browsers trust it then. Apps do so only if their network security configuration allows certificates of users.",
      ],
    },
    {
      name: "Firefox",
      format: "pem",
      steps: [
        "Settings, Privacy & Security, Certificates, View Certificates, Authorities, Import.",
        "Tick “Trust this CA to identify websites”.",
      ],
    },
    {
      name: "curl",
      format: "pem",
      steps: [
        `Once: \`curl -x ${url} --cacert weir-ca-cert.pem https://example.com/\`.`,
        "For a shell: `export CURL_CA_BUNDLE=$PWD/weir-ca-cert.pem`.",
      ],
    },
    {
      name: "Node.js",
      format: "pem",
      steps: [
        "`export NODE_EXTRA_CA_CERTS=$PWD/weir-ca-cert.pem`; it is read when Node starts.",
        `Since Node 24, \`NODE_USE_ENV_PROXY=1 HTTPS_PROXY=${url}\` makes fetch use the proxy.`,
      ],
    },
    {
      name: "Python",
      format: "pem",
      steps: [
        "requests: `export REQUESTS_CA_BUNDLE=$PWD/weir-ca-cert.pem`.",
        "urllib, httpx, aiohttp: `export SSL_CERT_FILE=$PWD/weir-ca-cert.pem`.",
      ],
    },
    {
      name: "Java",
      format: "pem",
      steps: [
        "`keytool -importcert -noprompt -alias weir -file weir-ca-cert.pem -keystore weir.jks -storepass changeit`.",
        `\`java -Djavax.net.ssl.trustStore=weir.jks -Djavax.net.ssl.trustStorePassword=changeit -Dhttps.proxyHost=${proxyHost} -Dhttps.proxyPort=${port} …\`.`,
      ],
    },
  ];
}

function page(ctx: Context): string {
  const address = ctx.proxy.addresses[0] ?? { hostname: "127.0.0.1", port: 8080 };
  const name = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  const cards = guides(`${name}:${address.port}`, String(address.port)).map((guide) => `
      <details name="guide">
        <summary>${escapeHtml(guide.name)}</summary>
        <p><a href="/cert/${guide.format}">weir-ca-cert.${guide.format}</a></p>
        <ol>${guide.steps.map((step) => `<li>${marked(step)}</li>`).join("")}</ol>
      </details>`);
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
      <p>Your traffic goes through this proxy. To look into HTTPS, your device must trust its certificate.</p>
    </header>
    <nav aria-label="Certificates">
      <a href="/cert/pem"><b>PEM</b><span>Linux, macOS, iOS, tools</span></a>
      <a href="/cert/cer"><b>CER</b><span>Windows, Android</span></a>
      <a href="/cert/p12"><b>P12</b><span>PKCS #12, for those who ask for it</span></a>
    </nav>
    <section aria-label="How to install it">${cards.join("")}
    </section>
    <footer>
      <p>Whoever has the key of this certificate can read what a device that trusts it sends. Remove it when you are done.</p>
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
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 44rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
h1 { margin: 0; font-size: 2.25rem; letter-spacing: -0.03em; color: var(--water); }
header p { margin: 0.25rem 0 1.75rem; font-size: 1.125rem; }
a { color: var(--water); }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--water); outline-offset: 2px; }
nav { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.75rem; margin-bottom: 1.75rem; }
nav a {
  display: block; padding: 0.8rem 1rem; border: 1px solid var(--line); border-radius: 0.6rem;
  background: var(--card); text-decoration: none;
}
nav a:hover { border-color: var(--water); }
nav b { display: block; font-size: 1.125rem; }
nav span { color: var(--soft); font-size: 0.875rem; }
section { border: 1px solid var(--line); border-radius: 0.6rem; background: var(--card); overflow: hidden; }
details + details { border-top: 1px solid var(--line); }
summary { padding: 0.7rem 1rem; font-weight: 600; cursor: pointer; }
summary:hover { color: var(--water); }
details > p { margin: 0 1rem 0.25rem; }
ol { margin: 0.25rem 1rem 1rem; padding-left: 1.25rem; }
li + li { margin-top: 0.4rem; }
code {
  padding: 0.1em 0.35em; border-radius: 0.3em; background: var(--code);
  font: 0.875em/1.5 ui-monospace, monospace; overflow-wrap: anywhere; -webkit-box-decoration-break: clone; box-decoration-break: clone;
}
footer { margin-top: 1.75rem; color: var(--soft); font-size: 0.875rem; }
`;
