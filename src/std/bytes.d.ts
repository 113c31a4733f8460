// Types of the part of `@std` that weir uses.
export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
export function equals(a: Uint8Array, b: Uint8Array): boolean;
export function indexOfNeedle(source: Uint8Array, needle: Uint8Array, start?: number): number;
export function startsWith(source: Uint8Array, prefix: Uint8Array): boolean;
export function endsWith(source: Uint8Array, suffix: Uint8Array): boolean;
