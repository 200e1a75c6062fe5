import { GitBranch } from 'lucide-react';

import type { Branch } from '@/api/types';
import { BranchChanges } from '@/components/git/BranchChanges';
import { Badge } from '@/components/ui/Badge';
import { Disclosure } from '@/components/ui/Disclosure';

interface Props {
  repoId: string;
  items: readonly Branch[];
  /** The branch that the others are compared with. */
  base: string;
}

export function BranchList({ repoId, items, base }: Props) {
  return (
    <ul className="divide-y divide-line">
      {items.map(({ name, head }) => {
        const line = (
          <span className="flex gap-x-2.5 text-sm">
            <GitBranch aria-hidden size={14} className="mt-1 shrink-0 text-ink-faint" />
            <span className="flex min-w-0 flex-wrap items-center gap-x-2.5">
              <span className="font-mono text-[13px]">{name}</span>
              <span className="font-mono text-xs text-ink-faint">{head.slice(0, 7)}</span>
              {name === base && <Badge>default</Badge>}
            </span>
          </span>
        );
        return (
          <li key={name}>
            {name === base ? (
              <div className="py-2.5 pl-[31px]">{line}</div>
            ) : (
              <Disclosure summary={line}>
                <BranchChanges repoId={repoId} base={base} head={name} />
              </Disclosure>
            )}
          </li>
        );
      })}
    </ul>
  );
}
