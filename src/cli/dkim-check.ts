/**
 * `postern dkim check`: what is published against what we sign with.
 */
import { askPublications, type Publication } from '../app/dkim-dns.ts'
import type { ListedKey } from '../app/dkim-keys.ts'
import { type CliContext, EXIT, print } from './context.ts'
import { type DkimOptions, describeKey, describeRecord, keyAnswer, keysOf, openConfig } from './dkim-shown.ts'
import { escapeText, toJson } from './escape.ts'
import { paint } from './format.ts'

export interface Verdict {
  readonly level: 'ok' | 'warning' | 'fault'
  readonly text: string
  /** The record has to be published, or published anew. */
  readonly publish: boolean
}

export async function check(context: CliContext, domain: string | undefined, options: DkimOptions): Promise<void> {
  const opened = openConfig(context, options)
  // The record of a key that has ended may be there or not.
  const keys = keysOf(context, opened, domain).filter(({ state }) => state !== 'ended')
  const checked = await askPublications(opened.loaded, keys, context.clock)
  const judged = checked.map(({ key, publication }) => ({ key, publication, verdict: judge(key, publication) }))
  const ok = judged.every(({ verdict }) => verdict.level !== 'fault')
  if (!ok) context.setExitCode(EXIT.failed)
  if (options.json === true) {
    const answers = judged.map(({ key, publication, verdict }) => ({
      ...keyAnswer(key),
      published: publication.kind,
      level: verdict.level,
      text: verdict.text,
    }))
    print(context, toJson({ ok, keys: answers }, 2))
    return
  }
  for (const { key, verdict } of judged) for (const line of describeVerdict(context, key, verdict)) print(context, line)
}

/** A key that waits may well be unpublished. */
export function judge({ state }: ListedKey, publication: Publication): Verdict {
  const absent = state === 'waits' || state === 'later' ? 'warning' : 'fault'
  switch (publication.kind) {
    case 'matches':
      return publication.testing
        ? { level: 'warning', text: 'published, but marked as a test (t=y): receivers may ignore the signature', publish: true }
        : { level: 'ok', text: 'published, and the key we have', publish: false }
    case 'absent':
      return { level: absent, text: 'not published (yet; a changed record can take an hour to be seen)', publish: true }
    case 'several':
      return { level: 'fault', text: 'there is more than one key record at this name: receivers cannot tell which counts. Keep only this one', publish: true }
    case 'revoked':
      return { level: absent, text: 'what is published says that the key was revoked (p= is empty)', publish: true }
    case 'differs':
      return { level: absent, text: 'what is published is another key', publish: true }
    case 'unusable':
      return { level: 'fault', text: `the published key is ours, but ${publication.reason}`, publish: true }
    case 'unknown':
      return { level: 'fault', text: `the DNS gave no answer: ${publication.reason}`, publish: false }
    case 'unreadable':
      return { level: 'fault', text: `the private key cannot be used: ${publication.reason}`, publish: false }
  }
}

const COLOURS = { ok: 'green', warning: 'yellow', fault: 'red' } as const

export function describeVerdict(context: CliContext, key: ListedKey, verdict: Verdict): readonly string[] {
  const { level, text, publish } = verdict
  const record = publish && key.record !== null ? ['   To be published:', '', ...describeRecord(key.record), ''] : []
  return [describeKey(context, key), `   ${paint(context, COLOURS[level], level.padEnd(7))}  ${escapeText(text)}.`, ...record]
}
