import { ENVIRONMENT, type EnvironmentVariable } from './environment.ts';

/** The text of `.env.example`: every variable with its meaning and default, none of them set. */
export function renderEnvExample(): string {
  const head = '# Made from src/config/environment.ts by `node scripts/env-example.mjs`: do not edit.\n';
  const entries = Object.entries<EnvironmentVariable<unknown>>(ENVIRONMENT).map(([name, variable]) => {
    const secret = variable.secret ? ' Secret.' : '';
    return `# ${variable.description}${secret}\n# ${name}=${variable.default ?? ''}\n`;
  });
  return [head, ...entries].join('\n');
}
