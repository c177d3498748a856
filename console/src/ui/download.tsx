import { useMutation } from '@tanstack/react-query';
import { download } from '../api/download.ts';
import { Button } from './button.tsx';
import { Refusal } from './notice.tsx';

/** Downloads what a path answers in a form. */
export function DownloadButton({
  path,
  accept,
  name,
  children,
}: {
  path: string;
  accept: string;
  name: string;
  children: string;
}) {
  const load = useMutation({ mutationFn: () => download(path, accept, name) });
  return (
    <>
      <Button busy={load.isPending} onClick={() => load.mutate()}>
        {children}
      </Button>
      {load.error ? <Refusal error={load.error} /> : null}
    </>
  );
}
