/**
 * A file changed between the check of the configuration and its use, or cannot be read any more.
 */
export class SettingsError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SettingsError'
  }
}
