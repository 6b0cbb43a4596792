/**
 * One small text that survives restarts: replaced as a whole, or not at all.
 *
 * For what is of use tomorrow and can be had again: a cache, counts. Nothing in the queue depends on it.
 */
export interface KeptText {
  /** Null: there is none, or it cannot be read. Never rejects. */
  read(): Promise<string | null>
  /** Resolves when it is on the disk. Rejects if it cannot be written; the old text is kept then. */
  write(text: string): Promise<void>
}
