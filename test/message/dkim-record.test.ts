import { describe, expect, it } from 'vitest'
import { comparePublished, dkimRecord, recordName } from '../../src/message/dkim-record.ts'
import { readTestKey } from '../support/dkim.ts'

const ED25519 = dkimRecord(readTestKey('ed25519'))
const RSA = dkimRecord(readTestKey('rsa'))
const key = RSA.slice(RSA.indexOf('p=') + 2)

describe('the record of a key', () => {
  it('holds an RSA key as SubjectPublicKeyInfo, an Ed25519 key as it is', () => {
    expect(RSA).toMatch(/^v=DKIM1; k=rsa; p=MII[A-Za-z0-9+/]+={0,2}$/)
    expect(ED25519).toMatch(/^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/)
    expect(Buffer.from(ED25519.slice(-44), 'base64')).toHaveLength(32)
  })

  it('has a name of its own', () => expect(recordName('s1', 'example.com')).toBe('s1._domainkey.example.com'))
})

describe('what is published', () => {
  it.each([
    [[RSA], { kind: 'matches', testing: false }],
    [[`v=DKIM1;k=rsa;p=${key.slice(0, 70)} ${key.slice(70)};`], { kind: 'matches', testing: false }],
    [[`p=${key}`], { kind: 'matches', testing: false }],
    [[`v=DKIM1; t=s:y; p=${key}`], { kind: 'matches', testing: true }],
    [[`v=DKIM1; s=email; h=sha1:sha256; p=${key}`], { kind: 'matches', testing: false }],
    [['v=spf1 -all', RSA], { kind: 'matches', testing: false }],
    [[], { kind: 'absent' }],
    [['v=spf1 -all'], { kind: 'absent' }],
    [[RSA, RSA], { kind: 'several' }],
    [['v=DKIM1; p='], { kind: 'revoked' }],
    [[ED25519], { kind: 'differs' }],
    [[RSA.replace('MII', 'MIJ')], { kind: 'differs' }],
    [[`v=DKIM1; k=ed25519; p=${key}`], { kind: 'unusable', reason: 'it says k=ed25519, and the key is rsa' }],
    [[`v=DKIM2; p=${key}`], { kind: 'unusable', reason: 'its version is v=DKIM2' }],
    [[`v=DKIM1; h=sha1; p=${key}`], { kind: 'unusable', reason: 'it allows h=sha1 only, and we sign with sha256' }],
    [[`v=DKIM1; s=other; p=${key}`], { kind: 'unusable', reason: 'it is not for mail (s=other)' }],
  ])('%j', (records, verdict) => expect(comparePublished(RSA, records)).toEqual(verdict))
})
