import { createLink } from '@tanstack/react-router';
import { ArrowLeft } from 'lucide-react';
import type { AnchorHTMLAttributes } from 'react';

function Anchor({ children, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement>) {
  return (
    <a
      {...rest}
      className="inline-flex h-8 shrink-0 items-center gap-1.5 rounded-lg px-2.5 text-[13px] font-medium text-ink-soft hover:bg-hover hover:text-ink"
    >
      <ArrowLeft aria-hidden size={14} /> <span className="max-sm:sr-only">{children}</span>
    </a>
  );
}

/** The way up from a page that lies below another. */
export const BackLink = createLink(Anchor);
