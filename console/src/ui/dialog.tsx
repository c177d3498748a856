import { Dialog as Radix } from 'radix-ui';
import type { ReactNode } from 'react';
import styles from './dialog.module.css';

/** A dialog: it keeps the focus, closes by Escape, and gives the focus back. */
export function Dialog({
  open,
  onClose,
  title,
  about,
  children,
  actions,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  about?: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <Radix.Root open={open} onOpenChange={(next) => (next ? undefined : onClose())}>
      <Radix.Portal>
        <Radix.Overlay className={styles.veil} />
        <Radix.Content
          className={styles.dialog}
          {...(about === undefined ? { 'aria-describedby': undefined } : {})}
        >
          <Radix.Title asChild>
            <h2>{title}</h2>
          </Radix.Title>
          {about === undefined ? null : (
            <Radix.Description asChild>
              <div>{about}</div>
            </Radix.Description>
          )}
          {children}
          {actions === undefined ? null : <div className={styles.actions}>{actions}</div>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
