/**
 * An answer that breaks the format of RFC 1035: a fault of the server or a forgery, never of the name.
 */
export class MalformedAnswer extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MalformedAnswer'
  }
}
