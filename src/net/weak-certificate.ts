/**
 * What is too weak in a chain of certificates, by OpenSSL's name.
 *
 * Node tells a weak key and a weak signature only as `UNSPECIFIED`, and a chain that DANE vouches for is
 * not looked at by OpenSSL at all. The limits are those of its security level 2, which Node sets.
 */
import type { X509Certificate } from 'node:crypto'
import type { NetworkFault } from '../ports/network.ts'

const RSA_BITS_MIN = 2_048
const WEAK_DIGEST = /md[245]|sha-?1(?!\d)/i

/** `chain`: the server's certificate first. Signatures of a certificate by itself do not count. */
export function weaknessOf(chain: readonly X509Certificate[]): NetworkFault | null {
  for (const [depth, certificate] of chain.entries()) {
    const { modulusLength } = certificate.publicKey.asymmetricKeyDetails ?? {}
    if (modulusLength !== undefined && modulusLength < RSA_BITS_MIN) {
      return { code: depth === 0 ? 'EE_KEY_TOO_SMALL' : 'CA_KEY_TOO_SMALL', message: `a key of ${modulusLength} bits is too short` }
    }
    const signature = certificate.signatureAlgorithm ?? ''
    if (WEAK_DIGEST.test(signature) && certificate.subject !== certificate.issuer) {
      return { code: 'CA_MD_TOO_WEAK', message: `the signature ${signature} is too weak` }
    }
  }
  return null
}
