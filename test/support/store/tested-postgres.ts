/** Where the binaries of the Postgres are that this run of the tests is on; nothing for the embedded version. */
export function testedPostgres(): { packages?: URL } {
  const packages = process.env.REDRIVE_TEST_POSTGRES_PACKAGES;
  return packages === undefined ? {} : { packages: new URL(packages) };
}
