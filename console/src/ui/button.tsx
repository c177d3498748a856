import { Tooltip } from 'radix-ui';
import type { ButtonHTMLAttributes, MouseEvent, ReactNode } from 'react';
import { useMissing } from '../api/me.tsx';
import styles from './button.module.css';

/** The properties of a button, with those of the element. */
export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'disabled'> {
  look?: 'primary' | 'danger' | 'plain' | undefined;
  small?: boolean | undefined;
  /** Why it cannot be used now, in words; the button stays in the order of focus and says so. */
  refused?: string | undefined;
  /** The scope that its call needs: where the session lacks it, the button names it. */
  needs?: string | undefined;
  busy?: boolean | undefined;
  children: ReactNode;
}

/** A button that says why it is disabled, where it is. */
export function Button({
  look,
  small,
  refused,
  needs,
  busy,
  children,
  onClick,
  className,
  ...rest
}: ButtonProps) {
  const missing = useMissing(needs);
  const why =
    missing === undefined ? refused : `Needs the scope ${missing}, which this session does not have.`;
  const off = why !== undefined || busy === true;
  const button = (
    <button
      type="button"
      {...rest}
      className={buttonClass(look, small, className)}
      aria-disabled={off}
      aria-busy={busy}
      onClick={(event: MouseEvent<HTMLButtonElement>) => {
        if (off) event.preventDefault();
        else onClick?.(event);
      }}
    >
      {children}
      {why === undefined ? null : <span className="hidden-text">({why})</span>}
    </button>
  );
  return why === undefined ? button : <Tip text={why}>{button}</Tip>;
}

/** The class of what looks like a button: links, too. */
export function buttonClass(look?: ButtonProps['look'], small?: boolean, more?: string): string {
  return [styles.button, look && styles[look], small && styles.small, more].filter(Boolean).join(' ');
}

/** Words that show beside something while it has the pointer or the focus. */
export function Tip({ text, children }: { text: ReactNode; children: ReactNode }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>{children}</Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content className={styles.tip} sideOffset={4} collisionPadding={8}>
          {text}
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}
