import { describe, expect, it } from 'vitest'
import { dnsSchema } from '../../src/app/config-schema-dns.ts'
import { buildDnsSettings } from '../../src/app/settings-dns.ts'

const settingsOf = (written: unknown) => buildDnsSettings(dnsSchema.parse(written))

describe('dns', () => {
  it('asks the servers of the system and believes none of them in DNSSEC, unless told otherwise', () =>
    expect(settingsOf(undefined)).toEqual({
      servers: null,
      validating: false,
      timeoutMs: 5_000,
      cacheEntriesMax: 10_000,
      positiveMaxMs: 86_400_000,
      negativeMaxMs: 900_000,
    }))
  it('takes servers with and without port, in their order', () =>
    expect(settingsOf({ servers: ['127.0.0.1', '192.0.2.1:5353', '::1', '[::1]:5353', '[2001:db8::1]'], validating: true })).toMatchObject({
      servers: [
        { address: '127.0.0.1', port: 53 },
        { address: '192.0.2.1', port: 5353 },
        { address: '::1', port: 53 },
        { address: '::1', port: 5353 },
        { address: '2001:db8::1', port: 53 },
      ],
      validating: true,
    }))
})
