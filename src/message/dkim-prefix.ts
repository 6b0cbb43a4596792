/**
 * Our own DKIM signatures among the lines that we put in front of a message.
 *
 * They stand first. An application's own signature is content and never looked at here.
 */
const NAME = 'dkim-signature:'

/** Octets of the signatures; 0: there are none. */
export function signatureOctets(prefix: Uint8Array): number {
  const text = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.byteLength).toString('latin1')
  let at = 0
  while (text.slice(at, at + NAME.length).toLowerCase() === NAME) {
    do {
      const lineEnd = text.indexOf('\r\n', at)
      if (lineEnd === -1) return text.length
      at = lineEnd + 2
    } while (text[at] === ' ' || text[at] === '\t')
  }
  return at
}
