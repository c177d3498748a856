/** One sentence for a database that cannot be used as it is, or nothing for an error of another kind. */
export function databaseProblem(error: unknown, url: string): string | undefined {
  // An address with several records fails by several errors at once.
  const { code, errors } = error as { code?: string; errors?: { code?: string }[] };
  const { host, pathname } = new URL(url);
  const what = code ?? errors?.[0]?.code ?? '';
  if (/^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|57P03)/.test(what)) {
    return `Postgres at ${host} cannot be reached (${what}): start it, or correct DATABASE_URL.`;
  }
  if (what.startsWith('28'))
    return `Postgres at ${host} refuses the user or password of DATABASE_URL: correct them.`;
  if (what === '3D000')
    return `Postgres at ${host} has no database ${pathname.slice(1)}: create it, or correct DATABASE_URL.`;
  if (what === '42501') {
    return `The user of DATABASE_URL may not change the schema of ${pathname.slice(1)}: run \`node dist/main.js migrate\` as the owner of that database.`;
  }
  return undefined;
}
