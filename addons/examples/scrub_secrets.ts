/**
 * Keeps a secret out of every answer, while it flows: as it is, escaped for JSON, HTML or a URL, in hex and in Base64.
 *
 *     API_KEY=… weir -s addons/examples/scrub_secrets.ts
 */
import { decoded, type HttpFlow, redactStream } from "weir";

const SECRETS = [Deno.env.get("API_KEY") ?? "s3cr3t/api key"];

export function responseheaders(flow: HttpFlow) {
  flow.response!.stream = decoded(flow.response!, redactStream(SECRETS));
}
