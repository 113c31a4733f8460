// Types of the part of `@std` that weir uses.
export function parse(content: string, options?: { allowDuplicateKeys?: boolean }): unknown;
export function stringify(
  data: unknown,
  options?: { indent?: number; lineWidth?: number; skipInvalid?: boolean; sortKeys?: boolean },
): string;
