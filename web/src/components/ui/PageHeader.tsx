import type { ReactNode } from 'react';

import { usePageTitle } from '@/lib/title';

/** The bar on top of a page, which also names it in the browser's tab; `children` stand at its right end. */
export function PageHeader({
  title,
  subtitle,
  children,
}: {
  title: string;
  subtitle?: ReactNode;
  children?: ReactNode;
}) {
  usePageTitle(title);
  return (
    <header className="flex min-h-16 shrink-0 items-center gap-3 border-b border-line py-2 pr-3 pl-14 md:pr-5 md:pl-6">
      <div className="min-w-0 flex-1">
        <h1 title={title} className="line-clamp-2 text-[17px] leading-snug font-semibold">
          {title}
        </h1>
        {subtitle !== undefined && (
          <p className="truncate text-[13px] text-ink-soft">{subtitle}</p>
        )}
      </div>
      {children}
    </header>
  );
}
