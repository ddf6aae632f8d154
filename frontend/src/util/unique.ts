/** A text that nobody has made before; `crypto.randomUUID` is not there without TLS. */
export function unique(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
