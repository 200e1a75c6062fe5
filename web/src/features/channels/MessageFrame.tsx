import type { ReactNode } from 'react';

import { Avatar } from '@/components/ui/Avatar';
import { cx } from '@/components/ui/cx';
import { Time } from '@/components/ui/Time';

interface Props {
  author: string;
  at: string;
  /** True when the message before is by the same author: name and picture are left out. */
  continued: boolean;
  badge?: ReactNode;
  faded?: boolean;
  busy?: boolean;
  children: ReactNode;
}

/** One message: who, when, what. */
export function MessageFrame({ author, at, continued, badge, faded, busy, children }: Props) {
  return (
    <article
      aria-label={`Message from ${author}`}
      aria-busy={busy}
      className={cx(
        'group grid grid-cols-[2.25rem_minmax(0,1fr)] gap-x-3 px-4 md:px-6',
        continued ? 'mt-1.5' : 'mt-5',
        faded === true && 'opacity-60',
      )}
    >
      {continued ? (
        // Shown to a pointer or a key, and always to those who listen.
        <Time
          clock
          at={at}
          className="mt-1 -ml-3 text-right text-[10px] whitespace-nowrap text-ink-faint opacity-0 group-focus-within:opacity-100 group-hover:opacity-100"
        />
      ) : (
        <Avatar name={author} />
      )}
      <div>
        {!continued && (
          <p className="mb-0.5 flex items-baseline gap-2 leading-snug">
            <span className="font-semibold">{author}</span>
            {badge}
            <Time clock at={at} className="text-xs text-ink-faint" />
          </p>
        )}
        {children}
      </div>
    </article>
  );
}
