/** One migration of a VM at a time, in either direction: a process's list of those under way. */
export class MigrationRegistry {
  private readonly open = new Map<string, { readonly migrationId: string; readonly direction: 'out' | 'in' }>();

  /** Null: it may begin, and is listed. Else one line that says why not. */
  begin(vmId: string, migrationId: string, direction: 'out' | 'in'): string | null {
    const other = this.open.get(vmId);
    if (other) {
      const way = other.direction === 'out' ? 'being moved away' : 'being moved here';
      return `the VM is ${way} already by migration ${other.migrationId}: wait for it or cancel it`;
    }
    this.open.set(vmId, { migrationId, direction });
    return null;
  }

  end(vmId: string, migrationId: string): void {
    if (this.open.get(vmId)?.migrationId === migrationId) this.open.delete(vmId);
  }

  /** The one under way. */
  current(vmId: string): string | undefined {
    return this.open.get(vmId)?.migrationId;
  }
}
