import type { Commit } from '@/api/types';
import { CommitChanges } from '@/components/git/CommitChanges';
import { Disclosure } from '@/components/ui/Disclosure';
import { Time } from '@/components/ui/Time';

export function CommitList({ repoId, items }: { repoId: string; items: readonly Commit[] }) {
  return (
    <ol className="divide-y divide-line">
      {items.map(({ sha, subject, author, at }) => (
        <li key={sha}>
          <Disclosure
            summary={
              <>
                <span className="block text-sm font-medium">{subject}</span>
                <span className="flex flex-wrap gap-x-2.5 text-xs text-ink-faint">
                  <span className="font-mono">{sha.slice(0, 7)}</span>
                  <span>{author}</span>
                  <Time at={at} />
                </span>
              </>
            }
          >
            <CommitChanges repoId={repoId} sha={sha} />
          </Disclosure>
        </li>
      ))}
    </ol>
  );
}
