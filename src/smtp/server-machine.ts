/** Placeholder header: filled in with the table. */
export type ServerState = 'connected' | 'greeted' | 'mail' | 'rcpt' | 'content' | 'closing'
