import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { Progress } from '../activities/operation-activities.ts';

/** What the run saw of its operation last; null before its first look. It asks nobody: Postgres may know more by now. */
export const progressQuery = defineQuery<Progress | null>('progress');

/** Tells a running operation that its control changed in Postgres; the words in it are for the history's reader. */
export const controlUpdate = defineUpdate<void, [{ revision: number; control: string }]>('control');
