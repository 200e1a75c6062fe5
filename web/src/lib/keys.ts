/**
 * A key that names one intention of a person, so that a repeated request happens once.
 *
 * Works where `crypto.randomUUID` is missing: on origins that are not secure.
 */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
