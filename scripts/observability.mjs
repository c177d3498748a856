import { register } from 'tsx/esm/api';
import { generatedFile } from './generated-file.mjs';

register();
const { renderObservability } = await import('../deploy/observability/render.ts');
for (const [file, content] of renderObservability()) await generatedFile(file, content);
