import { GitCommitHorizontal, ShieldCheck, Sprout } from 'lucide-react';
import type { ReactNode } from 'react';

import { Logo } from '@/components/ui/Logo';
import { usePageTitle } from '@/lib/title';

const PROMISES = [
  { icon: Sprout, text: 'One agent that is yours: it remembers, plans, and delegates.' },
  { icon: GitCommitHorizontal, text: 'Everything it learns is a Git commit that you can read, clone and undo.' },
  { icon: ShieldCheck, text: 'Code runs in a locked sandbox, on this machine.' },
];

/** The frame of the login and registration pages. */
export function AuthLayout({ title, children }: { title: string; children: ReactNode }) {
  usePageTitle(title);
  return (
    <div className="grid min-h-full lg:grid-cols-[minmax(0,5fr)_minmax(0,6fr)]">
      <aside className="hidden flex-col justify-between border-r border-line bg-rail p-12 lg:flex">
        <Logo />
        <div className="max-w-md">
          <p className="text-[34px] leading-[1.15] font-semibold tracking-[-0.025em] text-balance">
            Plant a thought. Watch the work grow.
          </p>
          <ul className="mt-8 space-y-4">
            {PROMISES.map(({ icon: Icon, text }) => (
              <li key={text} className="flex gap-3 text-ink-soft">
                <Icon aria-hidden size={18} className="mt-1 shrink-0 text-accent" />
                {text}
              </li>
            ))}
          </ul>
        </div>
        <p className="text-[13px] text-ink-faint">Self-hosted, and yours to clone and take along.</p>
      </aside>
      <main className="flex items-center justify-center px-5 py-12">
        <div className="w-full max-w-sm animate-rise">
          <div className="mb-10 lg:hidden">
            <Logo />
          </div>
          <h1 className="mb-7 text-2xl font-semibold tracking-tight">{title}</h1>
          {children}
        </div>
      </main>
    </div>
  );
}
