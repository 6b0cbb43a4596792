import { describe, expect, it } from 'vitest'
import { examine } from '../../src/app/config.ts'
import { CONFIG_PROBLEMS, formatProblem } from '../../src/app/config-errors.ts'
import { WRONG_DELIVERY_CONFIGS } from './wrong-delivery-configs.ts'
import { WRONG_DKIM_CONFIGS } from './wrong-dkim-configs.ts'
import { WRONG_DNS_CONFIGS } from './wrong-dns-configs.ts'
import { WRONG_INTAKE_CONFIGS } from './wrong-intake-configs.ts'
import { WRONG_REWRITE_CONFIGS } from './wrong-rewrite-configs.ts'
import { WRONG_TLS_CONFIGS } from './wrong-tls-configs.ts'

const problemsOf = (yaml: string) =>
  examine(`${yaml}\n`, '/etc/x/postern.yaml', { explicitPath: null, env: {}, cwd: '/etc/x', checkFiles: false }).problems.filter(
    (problem) => problem.code !== 'hostname-not-full',
  )

describe('a wrong configuration is told by place, key, what is allowed and what to do', () => {
  it.each([...WRONG_TLS_CONFIGS, ...WRONG_REWRITE_CONFIGS, ...WRONG_INTAKE_CONFIGS, ...WRONG_DELIVERY_CONFIGS, ...WRONG_DNS_CONFIGS, ...WRONG_DKIM_CONFIGS])(
    '%s',
    (yaml, expected) => {
      expect(problemsOf(yaml).map((problem) => [problem.code, formatProblem(problem)])).toEqual(expected)
    },
  )

  it('never repeats what may be a password', () => {
    const told = [...WRONG_INTAKE_CONFIGS, ...WRONG_DELIVERY_CONFIGS, ...WRONG_DNS_CONFIGS, ...WRONG_DKIM_CONFIGS].filter(([yaml]) => yaml.includes('hunter2'))
    expect(told.length).toBeGreaterThan(4)
    for (const [yaml] of told) expect(JSON.stringify(problemsOf(yaml))).not.toContain('hunter2')
  })

  it('takes the severity from the catalogue', () => {
    for (const [yaml] of WRONG_DELIVERY_CONFIGS) for (const problem of problemsOf(yaml)) expect(problem.severity).toBe(CONFIG_PROBLEMS[problem.code][0])
  })

  it('puts errors before warnings, each in the order of the file', () => {
    const yaml = 'networks: [0.0.0.0/0]\nretry: { min: 3h }\nqueue: { suspend: { min: 3h } }'
    expect(problemsOf(yaml).map(({ code, line }) => [code, line])).toEqual([
      ['contradiction', 2],
      ['contradiction', 3],
      ['network-any', 1],
    ])
  })

  it('gives each part of a problem separately, for programs', () => {
    expect(problemsOf('relays:\n  g:\n    host: a\n    tls: verfy')).toEqual([
      {
        code: 'not-allowed',
        severity: 'error',
        file: 'postern.yaml',
        line: 4,
        column: 10,
        key: 'relays.g.tls',
        message: '"verfy" is not allowed',
        allowed: 'one of none, may, encrypt, verify',
        remedy: 'Did you mean "verify"?',
      },
    ])
  })

  it('survives any text without an exception that is not about the configuration', () => {
    for (const yaml of [
      '',
      '\0',
      '&a [*a]',
      'a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]',
      '['.repeat(100_000),
      '- '.repeat(50_000),
      '{a: '.repeat(30_000),
      '? [a]: b',
      '{}',
      'null',
      '"',
      '%YAML 9.9\n---\na: 1',
      '<<: {a: 1}',
      '__proto__: {x: 1}',
      'relays: {__proto__: {host: a}}',
      'constructor: 1',
    ]) {
      expect(() => problemsOf(yaml), yaml).not.toThrow()
    }
  })
})
