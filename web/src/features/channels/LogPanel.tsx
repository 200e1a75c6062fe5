import { ChevronDown, Terminal } from 'lucide-react';
import { useState } from 'react';

import { describe } from '@/api/problem';
import type { Channel } from '@/api/types';
import { cx } from '@/components/ui/cx';

import { LogLines } from './LogLines';
import { useLog } from './useLog';

/** What a sub-agent's tools print, live; folded away on demand. */
export function LogPanel({ channel, ready }: { channel: Channel; ready: boolean }) {
  // Where there is little room, messages come first.
  const [open, setOpen] = useState(() => window.matchMedia('(min-width: 48rem)').matches);
  const { lines = [], error, isPending } = useLog(channel, ready);
  return (
    <section aria-label="Log" className="shrink-0 border-t border-line bg-rail">
      <h2>
        <button
          type="button"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
          className="flex w-full items-center gap-2 px-4 py-2.5 text-[13px] font-medium hover:bg-hover focus-visible:-outline-offset-2 md:px-6"
        >
          <Terminal aria-hidden size={15} className="text-ink-soft" />
          Log
          <span className="font-normal text-ink-faint">
            {lines.length === 0 ? (isPending ? 'loading…' : 'nothing yet') : `${lines.length} entries`}
          </span>
          <ChevronDown
            aria-hidden
            size={16}
            className={cx('ml-auto text-ink-soft transition-transform', !open && 'rotate-180')}
          />
        </button>
      </h2>
      {open && error !== null && (
        <p role="alert" className="px-4 pb-3 text-sm text-danger md:px-6">
          Older lines could not be read. {describe(error)}
        </p>
      )}
      {open && lines.length > 0 && <LogLines lines={lines} />}
    </section>
  );
}
