/**
 * What sender rules want of the addresses in a header block. Asked by `message/header-edits.ts`,
 * answered by `rewrite/senders.ts`; neither knows the other.
 */

/** Fields that say who wrote, sent and answers. */
export type SenderField = 'from' | 'sender' | 'reply-to'

export interface HeaderEdits {
  /** What an address of this field is to be; null: it stays. With its local domain already where it had none. */
  address(address: string, field: SenderField): string | null
  /** A name without domain, in any address field, with its domain; null: it stays. */
  qualify(name: string): string | null
  /** A sender address that a rule hides and that answers are to go to all the same. */
  isToBeAnswered(address: string): boolean
}
