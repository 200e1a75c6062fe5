import type { Diff } from '@/api/types';

import { FileDiffView } from './FileDiffView';

/** So many files begin unfolded. */
const OPEN = 10;

/** The agent's own bookkeeping, which changes with nearly everything and tells people nothing. */
const SNAPSHOT = 'state/snapshot.json';

/** What changed, file by file. */
export function DiffView({ diff, empty }: { diff: Diff; empty: string }) {
  if (diff.files.length === 0) return <p className="text-sm text-ink-soft">{empty}</p>;
  const files = diff.files.toSorted((a, b) => +(a.path === SNAPSHOT) - +(b.path === SNAPSHOT));
  return (
    <div className="space-y-3">
      <ul className="space-y-3">
        {files.map((file, index) => (
          <li key={file.path}>
            <FileDiffView file={file} open={index < OPEN && file.path !== SNAPSHOT} />
          </li>
        ))}
      </ul>
      {diff.truncated && (
        <p className="text-sm text-ink-soft">There is more: clone the repository to see it all.</p>
      )}
    </div>
  );
}
