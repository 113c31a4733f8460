/**
 * Headless Chromium behind a proxy, for one page that reports what it saw.
 * @module
 */
import type { TestProxy } from "./proxy.ts";
import { START, within } from "./within.ts";

/**
 * Opens `url` in Chromium, all of whose connections go through `proxy`, until `reported` settles.
 *
 * It is told to accept weir's certificates by any name: browsers have no flag to trust a CA.
 */
export async function browse<T>(proxy: TestProxy, url: string, reported: Promise<T>): Promise<T> {
  const profile = await Deno.makeTempDir({ prefix: "weir-browser-" });
  const chromium = spawn([
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--ignore-certificate-errors",
    `--user-data-dir=${profile}`,
    `--proxy-server=127.0.0.1:${proxy.port}`,
    // Loopback addresses would go past the proxy.
    "--proxy-bypass-list=<-loopback>",
    url,
  ]);
  const ended = chromium.status.then(({ code }) => {
    throw new Error(`Chromium exited with status ${code} before the page reported.`);
  });
  ended.catch(() => {});
  try {
    return await within(START, Promise.race([reported, ended]), "the page's report");
  } finally {
    try {
      chromium.kill("SIGTERM");
    } catch {
      // It has ended on its own.
    }
    await chromium.status;
    await remove(profile);
  }
}

function spawn(args: string[]): Deno.ChildProcess {
  try {
    return new Deno.Command("chromium", { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  } catch (error) {
    throw new Error("These tests need Chromium: apt-get install chromium.", { cause: error });
  }
}

/** Its helper processes end a little later than itself, and write until then. */
async function remove(directory: string): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      return await Deno.remove(directory, { recursive: true });
    } catch (error) {
      if (tries === 600) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
