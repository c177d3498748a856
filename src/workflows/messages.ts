import { defineUpdate } from '@temporalio/workflow';

/** Tells a running operation that its control changed in Postgres; the words in it are for the history's reader. */
export const controlUpdate = defineUpdate<void, [{ revision: number; control: string }]>('control');
