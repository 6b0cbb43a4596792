/**
 * Captured mail out of the store and in again: exported by the command, handed in by both roads.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { submit } from './admin.ts'
import { BarClient, beginContent } from './client.ts'
import type { PosternProcess } from './server.ts'

export interface Reentered {
  readonly ids: string[]
  refused: number
}

/** To a listener that refuses bare line ends: what was stored may hold none. Each file must be taken twice. */
export async function reenterCaptured(server: PosternProcess, { folder, port }: { readonly folder: string; readonly port: number }): Promise<Reentered> {
  const target = join(folder, 'captured')
  await server.cli(['captured', 'export', target, '--all'])
  const ids: string[] = []
  let refused = 0
  for (const [index, name] of readdirSync(target).entries()) {
    const content = readFileSync(join(target, name)).toString('latin1')
    const answer = await submit(server, `o-again-api-${index}@app.test`, ['user@rcpt.test'], content)
    if (answer.status === 200) ids.push(`again-api-${index}`)
    else refused++
    const client = await BarClient.open({ port })
    await beginContent(client, `o-again-smtp-${index}@app.test`, 'user@rcpt.test')
    client.write(`${content.replace(/^\./, '..').replace(/\r\n\./g, '\r\n..')}.\r\n`)
    if ((await client.reply()).startsWith('250 ')) ids.push(`again-smtp-${index}`)
    else refused++
    client.destroy()
  }
  return { ids, refused }
}
