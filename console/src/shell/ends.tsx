import { type ErrorComponentProps, Link } from '@tanstack/react-router';
import { Button } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { PageHead } from '../ui/page.tsx';

/** An address that leads nowhere. */
export function NowhereScreen() {
  return (
    <>
      <PageHead title="There is no such screen" />
      <p>
        Go to <Link to="/">Now</Link>, or find an id by <kbd>Ctrl K</kbd>.
      </p>
    </>
  );
}

/** A screen that failed for a fault of ours. */
export function CrashedScreen({ error, reset }: ErrorComponentProps) {
  return (
    <Notice tone="bad" title="This screen has a fault" live>
      <p>{error instanceof Error ? error.message : 'It says nothing of itself.'}</p>
      <p>Nothing was done to your deliveries by that. Try again, or use the API meanwhile.</p>
      <Button onClick={reset}>Try again</Button>
    </Notice>
  );
}
