import { readdir, readFile } from 'node:fs/promises';
import { register } from 'tsx/esm/api';
import { generatedFile } from './generated-file.mjs';

register();
const { allCommands, GROUPS } = await import('../cli/src/command/groups.ts');
const { helpOf } = await import('../cli/src/command/program.ts');
const { EXITS } = await import('../cli/src/core/exit-codes.ts');
const { VERSION } = await import('../cli/src/version.ts');

const ROOT = new URL('../', import.meta.url);
const TESTS = 'test/cli/exits/';

await generatedFile('docs/cli-commands.md', await commandsPage());
await generatedFile('docs/cli.md', await withExitTable(await readFile(new URL('docs/cli.md', ROOT), 'utf8')));

/** Every command as its own `--help` says it. */
async function commandsPage() {
  const commands = await allCommands();
  const parts = [
    '# Every command\n\nMade of `redrive <command> --help` by `scripts/cli-docs.mjs`. [cli.md](cli.md) says how it is used.\n',
    `\`\`\`\n${(await helpOf([], VERSION)).trimEnd()}\n\`\`\`\n`,
  ];
  for (const word of Object.keys(GROUPS)) {
    parts.push(`## ${word}\n`);
    for (const { path } of commands.filter((command) => command.path[0] === word))
      parts.push(
        `### redrive ${path.join(' ')}\n`,
        `\`\`\`\n${(await helpOf(path, VERSION)).trimEnd()}\n\`\`\`\n`,
      );
  }
  return parts.join('\n');
}

/** The titles of tests: a comment, and a text that a test compares, are none. */
function titlesIn(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(/(?:\b(?:test|describe)|\])\(\s*(['"`])(.*?)\1,/g)]
    .map(([, , title]) => title)
    .join('\n');
}

/** The table of exit codes, each with the tests that produce it: their titles begin with it. */
async function withExitTable(page) {
  const files = (await readdir(new URL(TESTS, ROOT))).filter((file) => file.endsWith('.test.ts'));
  const texts = await Promise.all(
    files.map(async (file) => titlesIn(await readFile(new URL(`${TESTS}${file}`, ROOT), 'utf8'))),
  );
  const rows = Object.values(EXITS).map(({ code, says }) => {
    const tried = files.filter((_, at) => new RegExp(`exit ${code}[:,]`).test(texts[at]));
    if (tried.length === 0) throw new Error(`No test in ${TESTS} has a title with "exit ${code}:".`);
    const links = tried.map((file) => `[${file.replace('.test.ts', '')}](../${TESTS}${file})`);
    return `| ${code} | ${says} | ${links.join(', ')} |`;
  });
  const table = ['| Code | Says | Tested in |', '|---|---|---|', ...rows].join('\n');
  return page.replace(
    /(<!-- exit codes -->)[\s\S]*?(<!-- end -->)/,
    (_, begin, end) => `${begin}\n\n${table}\n\n${end}`,
  );
}
