/**
 * nmap's sixteen relay probes.
 */
import { execFileSync } from 'node:child_process'

/** `0/16`: none was let through; else how many, or why there is no answer. */
export function nmapRelay(inside: readonly string[], target: { readonly host: string; readonly port: number }): string {
  const args = ['-Pn', '-n', '-p', String(target.port), '--script', '+smtp-open-relay', '--script-args', 'smtp-open-relay.domain=ext.test', target.host]
  const [command = 'nmap', ...rest] = [...inside, 'nmap', ...args]
  let output: string
  try {
    output = execFileSync(command, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (fault) {
    return fault instanceof Error && fault.message.includes('ENOENT') ? 'nmap-is-missing' : 'nmap-failed'
  }
  const found = /Server is an open relay \((\d+\/16) tests\)/.exec(output)
  if (found?.[1] !== undefined) return found[1]
  return output.includes("doesn't seem to be an open relay, all tests failed") ? '0/16' : 'no-verdict'
}
