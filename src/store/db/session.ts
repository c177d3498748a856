/**
 * Settings that decide how a value is written, read or counted. An operator may have set others for the server, the
 * database or the role: times would come in a form that nobody here reads, and days begin elsewhere.
 */
const RELIED_ON = {
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '1',
  bytea_output: 'hex',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  default_transaction_isolation: 'read committed',
};

/**
 * What a connection is made with: the settings that every statement relies on, and more of its own. They go on top of the
 * `options` of the URL or of `PGOPTIONS`, of which pg would take only one and drop the others.
 */
export function sessionOf(
  url: string,
  more: Readonly<Record<string, string>> = {},
): { connectionString: string; options: string } {
  const [address = '', query = ''] = url.split(/\?(.*)/s);
  const parameters = new URLSearchParams(query);
  const given = parameters.get('options') ?? process.env.PGOPTIONS;
  parameters.delete('options');
  const own = Object.entries({ ...RELIED_ON, ...more }).map(
    ([name, value]) => `-c ${name}=${value.replace(/[\\\s]/g, '\\$&')}`,
  );
  return {
    connectionString: parameters.size === 0 ? address : `${address}?${parameters}`,
    options: [...(given ? [given] : []), ...own].join(' '),
  };
}
