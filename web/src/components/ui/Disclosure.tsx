import { ChevronRight } from 'lucide-react';
import { useState, type ReactNode } from 'react';

/** A line that unfolds; what is inside is made when it is first asked for. */
export function Disclosure({ summary, children }: { summary: ReactNode; children: ReactNode }) {
  const [seen, setSeen] = useState(false);
  return (
    <details
      className="group/more"
      onToggle={(event) => {
        if (event.currentTarget.open) setSeen(true);
      }}
    >
      <summary className="flex list-none items-start gap-2 rounded-lg px-2 py-2.5 hover:bg-hover">
        <ChevronRight
          aria-hidden
          size={15}
          className="mt-1 shrink-0 text-ink-faint transition-transform group-open/more:rotate-90"
        />
        <span className="min-w-0 flex-1">{summary}</span>
      </summary>
      {seen && <div className="py-2 pl-2 md:pl-7">{children}</div>}
    </details>
  );
}
