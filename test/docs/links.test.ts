import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from '@jest/globals';

/** A path of the repository, as docs and comments write it. */
const PATH =
  /^(?:src|test|docs|deploy|migrations|scripts|bench|openapi|clients\/typescript\/src|console\/src|cli\/src)\/[^\s`]*$/;

/** The same without backticks, as comments write it; the name of a file has an ending. */
const FILE_IN_A_COMMENT =
  /\b(?:console\/src|cli\/src|clients|src|test|docs|deploy|migrations|scripts|bench|openapi)\/[\w./-]*\w\.(?:tsx?|mjs|sql|md|json|ya?ml)\b/g;

/** A file by its name alone: it is looked for in the whole repository. */
const MARKDOWN_NAME = /(?<![\w./-])[\w-]+\.md\b/g;

/** A call of the native API with the whole of its path, as docs name it. */
const CALL = /\b(?:GET|POST|PUT|PATCH|DELETE) (\/(?:api\/v1|\.well-known)\/[\w./{}…-]*[\w}…])/g;

/** A command of the command line, with its subcommand where it has one. */
const COMMAND = /(?:`|^(?: *\$ )?|--no-install )redrive ([a-z][a-z-]*(?: [a-z][a-z-]*)?)(?![\w-])/gm;

test('every relative link of the README and the docs leads to a file of the repository', async () => {
  const missing: string[] = [];
  for (const [file, text] of await documents())
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const named = path === '' ? file : normalize(join(dirname(file), path));
      if (!(await exists(named))) missing.push(`${file}: ${target}`);
      else if (anchor !== undefined && !headings(await readFile(named, 'utf8')).has(anchor))
        missing.push(`${file}: ${target} has no such heading`);
    }
  expect(missing).toEqual([]);
});

test('every path that the README and the docs name in backticks exists', async () => {
  const missing: string[] = [];
  for (const [file, text] of await documents())
    for (const [, path = ''] of withoutBlocks(text).matchAll(/`([^`\n]+)`/g))
      if (PATH.test(path) && !(await exists(path))) missing.push(`${file}: ${path}`);
  expect(missing).toEqual([]);
});

test('every call of the API that the docs name is one', async () => {
  const routes: string[] = [];
  for (const file of await readdir('openapi')) {
    const { paths } = JSON.parse(await readFile(join('openapi', file), 'utf8'));
    for (const [path, methods] of Object.entries<object>(paths))
      for (const method of Object.keys(methods)) routes.push(`${method.toUpperCase()} ${path}`);
  }
  const wrong: string[] = [];
  let named = 0;
  // Surfaces and decisions shorten their paths; these do not.
  for (const [file, text] of await documents())
    for (const [call, path = ''] of text.matchAll(CALL)) {
      named += 1;
      const [method = ''] = call.split(' ');
      if (!routes.some((route) => isOf(route, `${method} ${path}`))) wrong.push(`${file}: ${call}`);
    }
  expect(named).toBeGreaterThan(100);
  expect(wrong).toEqual([]);
});

test('every command that the docs name is one: of `redrive`, of npm, and scripts that Node runs', async () => {
  const own = [...(await readFile('docs/cli-commands.md', 'utf8')).matchAll(/^### redrive (.+)$/gm)].map(
    ([, command = '']) => command,
  );
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8'));
  const wrong: string[] = [];
  let named = 0;
  for (const [file, text] of await documents()) {
    for (const [call, words = ''] of text.matchAll(COMMAND)) {
      named += 1;
      const [first = '', second] = words.split(' ');
      const isOne = own.includes(first) || own.includes(`${first} ${second}`);
      // A group by itself, as in "`redrive keys` makes them".
      const isGroup = second === undefined && own.some((command) => command.startsWith(`${first} `));
      if (!isOne && !isGroup && !['help', 'completion'].includes(first)) wrong.push(`${file}: ${call}`);
    }
    for (const [call, script = ''] of text.matchAll(/\bnpm run (?:-s |--silent )?([\w:-]+)/g))
      if (scripts[script] === undefined) wrong.push(`${file}: ${call}`);
    for (const [call, script = ''] of text.matchAll(/\bnode ((?:scripts|bench|test)\/[\w./-]*\w)/g))
      if (!(await exists(script))) wrong.push(`${file}: ${call}`);
  }
  expect(named).toBeGreaterThan(50);
  expect(wrong).toEqual([]);
});

test.each(['docs/guarantees.md', 'SECURITY.md'])('every proof that %s names is a test', async (file) => {
  const missing: string[] = [];
  const named = [...(await readFile(file, 'utf8')).matchAll(/`([a-z]+)\/([a-z/-]*)`/g)];
  for (const [, folder = '', name = ''] of named) {
    const path = name === '' ? `test/${folder}` : `test/${folder}/${name}.test.ts`;
    if (!(await exists(path))) missing.push(path);
  }
  expect(named.length).toBeGreaterThan(20);
  expect(missing).toEqual([]);
});

test('no comment names a file that the repository does not hold', async () => {
  const names = new Set((await filesBelow('.', '.md')).map((file) => file.split('/').at(-1)));
  const missing: string[] = [];
  for (const file of [
    ...(await filesBelow('src', '.ts')),
    ...(await filesBelow('test', '.ts')),
    ...(await filesBelow('bench', '.ts')),
    ...(await filesBelow('deploy', '.ts')),
    ...(await filesBelow('clients', '.ts')),
    ...(await filesBelow('cli/src', '.ts')),
    ...(await filesBelow('console/src', '.ts')),
    ...(await filesBelow('console/src', '.tsx')),
  ])
    for (const line of comments(await readFile(file, 'utf8'))) {
      for (const [path] of line.matchAll(FILE_IN_A_COMMENT))
        if (!(await exists(path))) missing.push(`${file}: ${path}`);
      for (const [name] of line.matchAll(MARKDOWN_NAME))
        if (!names.has(name)) missing.push(`${file}: ${name}`);
    }
  expect(missing).toEqual([]);
});

test('the index of the decisions names each of them once, by its title', async () => {
  const index = await readFile('docs/decisions/README.md', 'utf8');
  const listed = [...index.matchAll(/^- \[(\d{4})\]\(([^)]+)\) (.+)$/gm)].map(
    ([, number, path, title]) => `${number} ${path} ${title}`,
  );
  const there: string[] = [];
  for (const file of await filesBelow('docs/decisions', '.md')) {
    if (file === 'docs/decisions/README.md') continue;
    const path = file.slice('docs/decisions/'.length);
    const title = (await readFile(file, 'utf8')).split('\n', 1)[0]?.slice('# '.length);
    there.push(`${path.split('/').at(-1)?.slice(0, 4)} ${path} ${title}`);
  }
  expect(listed.sort()).toEqual(there.sort());
});

/** Whether a call is of a route; a part in braces is any. */
function isOf(route: string, call: string): boolean {
  const [wanted, given] = [route.split('/'), call.split('/')];
  return (
    wanted.length === given.length &&
    wanted.every((part, at) => part === given[at] || (part.startsWith('{') && given[at] !== ''))
  );
}

/** The documents beside the README, and every one below `docs`, each with its text. */
async function documents(): Promise<[string, string][]> {
  const files = [
    'README.md',
    'SECURITY.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'deploy/helm/redrive/README.md',
    ...(await filesBelow('docs', '.md')),
  ];
  return Promise.all(
    files.map(async (file): Promise<[string, string]> => [file, await readFile(file, 'utf8')]),
  );
}

/** Files of the repository below a folder with this ending. */
async function filesBelow(folder: string, ending: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = normalize(join(folder, entry.name));
    if (entry.isDirectory() && !entry.name.startsWith('.') && !['node_modules', 'dist'].includes(entry.name))
      found.push(...(await filesBelow(path, ending)));
    else if (entry.isFile() && entry.name.endsWith(ending)) found.push(path);
  }
  return found;
}

/** The lines of a source file that are comments. */
function comments(text: string): string[] {
  return text.split('\n').filter((line) => /^\s*(?:\/\*\*?|\*|\/\/)/.test(line));
}

/** A document without its blocks of code, whose backticks quote nothing. */
function withoutBlocks(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '');
}

/** The anchors of a document's headings, as GitHub makes them. */
function headings(text: string): Set<string> {
  const made = [...withoutBlocks(text).matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(' ', '-'),
  );
  return new Set(made);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
