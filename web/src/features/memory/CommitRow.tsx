import { Undo2 } from 'lucide-react';

import type { Commit } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { Time } from '@/components/ui/Time';

export function CommitRow({ commit, onRevert }: { commit: Commit; onRevert: () => void }) {
  return (
    <article aria-label={commit.subject} className="flex items-start gap-3 py-3">
      <div className="min-w-0 flex-1">
        <p className="text-sm font-medium">{commit.subject}</p>
        <p className="mt-0.5 flex flex-wrap gap-x-2.5 text-xs text-ink-faint">
          <span className="font-mono" title={commit.sha}>
            {commit.sha.slice(0, 7)}
          </span>
          <span>{commit.author}</span>
          <Time at={commit.at} />
          {commit.paths.length > 0 && (
            <span className="truncate">
              {commit.paths.slice(0, 2).join(', ')}
              {commit.paths.length > 2 && ` and ${commit.paths.length - 2} more`}
            </span>
          )}
        </p>
      </div>
      {/* The first commit has nothing before it to go back to. */}
      {commit.parents.length > 0 && (
        <Button
          size="small"
          variant="ghost"
          aria-label={`Undo ${commit.subject}`}
          onClick={onRevert}
        >
          <Undo2 aria-hidden size={14} /> Undo
        </Button>
      )}
    </article>
  );
}
