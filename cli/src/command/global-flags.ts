import { choice, onOff, type Values, value } from './command.ts';

/** The forms in which data is written. */
export const FORMS = ['table', 'json', 'ndjson'] as const;

/** Flags that every command takes. */
export const GLOBAL_FLAGS = {
  output: choice(FORMS, 'how data is written: a table where left out'),
  profile: value('<name>', 'the profile to use (REDRIVE_PROFILE)'),
  tenant: value('<tenant>', 'handle or id of the tenant, for a key of the installation (REDRIVE_TENANT)'),
  quiet: onOff('say nothing on standard error but errors'),
  insecureHttp: onOff('send the key over plain http to another machine'),
};

/** Their values. */
export type GlobalFlags = Values<typeof GLOBAL_FLAGS>;
