import { Undo2 } from 'lucide-react';

import type { Commit } from '@/api/types';
import { CommitChanges } from '@/components/git/CommitChanges';
import { Button } from '@/components/ui/Button';
import { Disclosure } from '@/components/ui/Disclosure';
import { Time } from '@/components/ui/Time';

interface Props {
  commit: Commit;
  repoId: string | null;
  onOpen: (path: string) => void;
  onRevert: () => void;
}

/** One change: unfolded it shows what it did, and the files it did it to. */
export function CommitRow({ commit, repoId, onOpen, onRevert }: Props) {
  return (
    <article aria-label={commit.subject} className="relative py-1">
      <Disclosure summary={<Summary commit={commit} />}>
        <div className="space-y-3">
          <Files paths={commit.paths} onOpen={onOpen} />
          {repoId !== null && <CommitChanges repoId={repoId} sha={commit.sha} />}
        </div>
      </Disclosure>
      {/* Over the line, so that a diff has the whole width. The first commit has nothing before it. */}
      {commit.parents.length > 0 && (
        <Button
          size="small"
          variant="ghost"
          className="absolute! top-2.5 right-0"
          aria-label={`Undo ${commit.subject}`}
          onClick={onRevert}
        >
          <Undo2 aria-hidden size={14} /> Undo
        </Button>
      )}
    </article>
  );
}

function Summary({ commit }: { commit: Commit }) {
  return (
    <>
      <span className="block pr-20 text-sm font-medium">{commit.subject}</span>
      <span className="mt-0.5 flex flex-wrap gap-x-2.5 text-xs text-ink-faint">
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
      </span>
    </>
  );
}

/** The way to what was written, also to what is forgotten since. */
function Files({ paths, onOpen }: { paths: readonly string[]; onOpen: (path: string) => void }) {
  const notes = paths.filter((path) => path.endsWith('.md'));
  if (notes.length === 0) return null;
  return (
    <ul aria-label="Files" className="flex flex-wrap gap-x-4 gap-y-1 text-[13px]">
      {notes.map((path) => (
        <li key={path} className="min-w-0">
          <button
            type="button"
            className="max-w-full truncate font-mono text-accent-strong underline underline-offset-2"
            onClick={() => onOpen(path)}
          >
            {path}
          </button>
        </li>
      ))}
    </ul>
  );
}
