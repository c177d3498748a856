import { register } from 'tsx/esm/api';
import { generatedFile } from './generated-file.mjs';

register();
const { renderEnvExample } = await import('../src/config/env-example.ts');
await generatedFile('.env.example', renderEnvExample());
