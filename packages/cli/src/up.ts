export async function up(_argv: string[]): Promise<number> {
  return 1;
}
