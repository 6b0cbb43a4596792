/**
 * JavaMail (javax.mail, what Jira and Confluence ship) and Jakarta Mail: one small class, compiled
 * against either, one JVM for all cases of each.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type GridClient, type GridTarget, readAnswers, writeCaseTable } from './cases.ts'
import { runProgram } from './run-program.ts'

const SOURCE = join(import.meta.dirname, 'SendAll.java')
const JARS = '/usr/share/java'
const STORE_PASSWORD = 'changeit'

export const javaxMail: GridClient = javaClient('javax.mail', ['javax.mail.jar', 'javax.activation.jar'], (source) =>
  source.replaceAll('jakarta.mail', 'javax.mail'),
)
export const jakartaMail: GridClient = javaClient('jakarta.mail', ['jakarta-mail.jar', 'jakarta-activation.jar'], (source) => source)

function javaClient(name: string, jars: readonly string[], adapt: (source: string) => string): GridClient {
  return {
    name,
    notAble: {},
    async send(cases, target) {
      const folder = join(target.folder, `${name}-classes`)
      mkdirSync(folder, { recursive: true })
      const source = join(folder, 'SendAll.java')
      writeFileSync(source, adapt(readFileSync(SOURCE, 'utf8')))
      const classPath = [folder, ...jars.map((jar) => join(JARS, jar)).filter((path) => existsSync(path))].join(':')
      await succeed(['javac', '-nowarn', '-cp', classPath, '-d', folder, source])
      const store = await trustStore(target)
      const table = writeCaseTable(cases, target, name)
      const trust = [`-Djavax.net.ssl.trustStore=${store}`, `-Djavax.net.ssl.trustStorePassword=${STORE_PASSWORD}`]
      return readAnswers(
        await succeed([
          'java',
          '-Dfile.encoding=UTF-8',
          '-Djava.net.preferIPv4Stack=true',
          ...trust,
          '-cp',
          classPath,
          'SendAll',
          table,
          target.username,
          target.password,
        ]),
      )
    },
  }
}

async function trustStore(target: GridTarget): Promise<string> {
  const path = join(target.folder, 'trust.p12')
  if (existsSync(path)) return path
  const ca = join(target.folder, 'trust-ca.pem')
  copyFileSync(target.caPath, ca)
  await succeed(['keytool', '-importcert', '-noprompt', '-alias', 'ca', '-file', ca, '-keystore', path, '-storetype', 'PKCS12', '-storepass', STORE_PASSWORD])
  return path
}

async function succeed(command: readonly [string, ...string[]]): Promise<string> {
  const end = await runProgram(command, { limitMs: 100_000 })
  if (end.code !== 0) throw new Error(`${command[0]} ended with ${end.code}: ${end.errors}${end.output}`)
  return end.output
}
