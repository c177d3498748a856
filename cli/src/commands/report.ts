import { argument, type Command, command, value } from '../command/command.ts';
import { writeVerdict } from '../command/verdict.ts';
import { operationId } from '../core/operation-ids.ts';

const verify = command({
  path: ['report', 'verify'],
  summary: 'Verify a signed report offline: files only, nobody is asked',
  details: [
    'The key set is the one thing to have from earlier, and from somebody else: a server that shows a report can show a key as well. With --items every line of the ledger is hashed and compared with what was signed, and the counts of the report with what the lines say; with --proof one of them is; with --addenda what each of them changes is added up, too. Exits with 11 where something does not hold, and says what in one sentence.',
  ],
  examples: [
    'redrive report verify report.json --jwks jwks.json',
    'redrive report verify report.json --jwks jwks.json --items ledger.ndjson --proof proof.json',
  ],
  args: { file: argument('the report as it was signed: `retry report --signed`') },
  flags: {
    jwks: value('<file>', 'the key set that you keep: `signing-keys list -o json`'),
    items: value('<file>', 'the ledger: `retry items -o ndjson`'),
    proof: value('<file>', 'the proof of one line: `retry proof -o json`'),
    addenda: value('<file>', 'what was settled later: `retry addenda -o json`'),
    operation: value('<op_…>', 'the operation that it has to be about', operationId),
  },
  async run(context, { args, flags }) {
    const { verifyReportFiles } = await import('../proof/verify.ts');
    return writeVerdict(context, await verifyReportFiles({ report: args.file, ...flags }));
  },
});

/** The command that verifies a report. */
export const REPORT: readonly Command[] = [verify];
