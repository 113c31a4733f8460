/**
 * A part of a multipart body as the function of `multipartStream` gets it.
 * @module
 */
import type { drop } from "../drop.ts";
import { checkStreamValue, type StreamValue } from "../hook.ts";
import { dispositionOf, fieldsOf } from "./multipart.ts";

/** What the function may give: nothing, or null (`drop`) to leave the part out. */
export type PartOutput = MultipartPart | null | typeof drop | undefined | void;

/** One part, when its head is complete. */
export class MultipartPart {
  /** Its fields; changes are written into the head. */
  readonly headers: Headers;
  /** The field's name in a form (RFC 7578 §4.2), or null. */
  readonly name: string | null;
  /** The file's name, or null when it is no file. */
  readonly filename: string | null;
  #stream: StreamValue = true;

  /** `head`: its bytes behind the delimiter. */
  constructor(head: Uint8Array) {
    this.headers = headersOf(head);
    const disposition = this.headers.get("content-disposition") ?? "";
    this.name = dispositionOf(disposition, "name");
    this.filename = dispositionOf(disposition, "filename");
  }

  /** What its content goes through: as for `message.stream`; true and false leave it as it is. */
  get stream(): StreamValue {
    return this.#stream;
  }

  /** @throws {TypeError} on what cannot be one. */
  set stream(value: StreamValue) {
    checkStreamValue(value);
    this.#stream = value;
  }
}

/** The fields of a head; those that no `Headers` can hold are left out. */
export function headersOf(head: Uint8Array): Headers {
  const headers = new Headers();
  for (const { name, value } of fieldsOf(head)) {
    try {
      headers.append(name, value);
    } catch {
      // It stays in the head.
    }
  }
  return headers;
}
