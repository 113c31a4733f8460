/**
 * Puts a line under each text file that is uploaded in a form, while the form flows: files of any size, no
 * memory.
 *
 *     weir -s addons/examples/watermark_uploads.ts
 */
import { type HttpFlow, multipartStream } from "weir";

export function requestheaders({ request }: HttpFlow) {
  const type = request.headers.get("content-type") ?? "";
  if (!type.startsWith("multipart/form-data")) return;
  request.stream = multipartStream(request, (part) => {
    if (part.filename === null || !part.headers.get("content-type")?.startsWith("text/")) return;
    part.stream = async function* (chunks) {
      yield* chunks;
      yield "\n-- uploaded through weir\n";
    };
  });
}
