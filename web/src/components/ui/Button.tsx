import type { ButtonHTMLAttributes, MouseEvent } from 'react';

import { cx } from './cx';
import { Spinner } from './Spinner';

const VARIANTS = {
  primary: 'bg-accent text-accent-ink hover:bg-accent-strong',
  secondary: 'border border-line bg-surface text-ink hover:bg-hover',
  ghost: 'text-ink-soft hover:bg-hover hover:text-ink',
  danger: 'bg-danger text-canvas hover:opacity-90',
} as const;

const SIZES = {
  small: 'h-8 gap-1.5 rounded-lg px-2.5 text-[13px]',
  medium: 'h-10 gap-2 rounded-xl px-4 text-sm',
} as const;

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  variant?: keyof typeof VARIANTS;
  size?: keyof typeof SIZES;
  /** Shows that its work is under way. It keeps the focus, but can't be pressed again meanwhile. */
  busy?: boolean;
}

export function Button({
  variant = 'secondary',
  size = 'medium',
  busy = false,
  disabled = false,
  type = 'button',
  className,
  onClick,
  children,
  ...rest
}: Props) {
  return (
    <button
      {...rest}
      type={type}
      disabled={disabled}
      aria-disabled={busy || undefined}
      aria-busy={busy}
      onClick={busy ? hold : onClick}
      className={cx(
        'inline-flex shrink-0 items-center justify-center font-medium transition-colors',
        'disabled:cursor-not-allowed disabled:opacity-50 aria-disabled:cursor-not-allowed aria-disabled:opacity-50',
        VARIANTS[variant],
        SIZES[size],
        className,
      )}
    >
      {busy && <Spinner size={14} />}
      {children}
    </button>
  );
}

/** Also keeps a form from being sent twice. */
function hold(event: MouseEvent): void {
  event.preventDefault();
}
