/**
 * Takes a token out of what a language model says, also where the model says it in pieces of two letters.
 *
 * `modelStream` gives the text of each channel (what is said, what is thought, the arguments of tools) as one
 * text, whoever the provider is, and puts what `redactStream` makes of it back into the events. `decoded`
 * takes compression off and puts it on again.
 *
 *     weir -s addons/examples/scrub_model_stream.ts
 */
import { decoded, type HttpFlow, modelStream, redactStream } from "weir";

const SECRETS = ["sk-live-0123456789"];

export function responseheaders({ response }: HttpFlow) {
  response!.stream = decoded(response!, modelStream(response!, () => redactStream(SECRETS)));
}
