import { Router } from 'express';
import swaggerUi from 'swagger-ui-express';
import type { Surface } from '../surface.ts';
import { type Policy, setPolicy } from './policy.ts';

/** Its styles are inline, in attributes and elements; its scripts are not. */
const POLICY: Policy = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/**
 * The documentation of the API, a document a surface. It forgets the key that it is given, and cannot call by a session:
 * it does not send the header of the console.
 */
export function docsPage(surfaces: readonly Surface[]): Router {
  const page = swaggerUi.setup(undefined, {
    customSiteTitle: 'Redrive API',
    explorer: true,
    swaggerOptions: {
      urls: surfaces.map(({ name, title }) => ({ url: `/openapi/${name}.json`, name: title })),
      persistAuthorization: false,
      displayRequestDuration: true,
    },
  });
  const router = Router();
  router.use('/docs', (_, res, next) => {
    setPolicy(res, POLICY);
    next();
  });
  router.use('/docs', swaggerUi.serve, page);
  return router;
}
