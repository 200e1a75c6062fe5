import type { ReactNode } from 'react';

import { cx } from './cx';

const TONES = {
  neutral: 'bg-hover text-ink-soft',
  accent: 'bg-accent-soft text-accent-strong',
  info: 'bg-info-soft text-info',
  warning: 'bg-warning-soft text-warning',
  danger: 'bg-danger-soft text-danger',
} as const;

export type BadgeTone = keyof typeof TONES;

interface Props {
  tone?: BadgeTone;
  title?: string;
  children: ReactNode;
}

export function Badge({ tone = 'neutral', title, children }: Props) {
  return (
    <span
      title={title}
      className={cx(
        'inline-flex items-center rounded-md px-1.5 py-px text-[11px] leading-[1.5] font-medium whitespace-nowrap',
        TONES[tone],
      )}
    >
      {children}
    </span>
  );
}
