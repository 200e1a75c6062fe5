import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';

interface Props {
  icon: LucideIcon;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}

export function EmptyState({ icon: Icon, title, children, action }: Props) {
  return (
    <div className="mx-auto flex max-w-sm animate-rise flex-col items-center px-6 py-12 text-center">
      <span className="mb-4 flex size-12 items-center justify-center rounded-2xl bg-accent-soft text-accent-strong">
        <Icon aria-hidden size={22} strokeWidth={1.8} />
      </span>
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="mt-1.5 text-sm text-ink-soft">{children}</div>
      {action !== undefined && <div className="mt-5">{action}</div>}
    </div>
  );
}
