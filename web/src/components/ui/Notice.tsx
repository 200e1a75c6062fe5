import { CircleAlert, Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';

import { cx } from './cx';

const TONES = {
  info: { icon: Info, style: 'bg-info-soft text-info', role: 'status' },
  warning: { icon: TriangleAlert, style: 'bg-warning-soft text-warning', role: 'status' },
  danger: { icon: CircleAlert, style: 'bg-danger-soft text-danger', role: 'alert' },
} as const;

interface Props {
  tone: keyof typeof TONES;
  children: ReactNode;
  action?: ReactNode;
}

/** A sentence that stands out; errors are announced at once. */
export function Notice({ tone, children, action }: Props) {
  const { icon: Icon, style, role } = TONES[tone];
  return (
    <div role={role} className={cx('flex items-start gap-2.5 rounded-xl px-3.5 py-2.5', style)}>
      <Icon aria-hidden size={16} className="mt-[3px] shrink-0" />
      <div className="min-w-0 flex-1 text-sm">{children}</div>
      {action}
    </div>
  );
}
