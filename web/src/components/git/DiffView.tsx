import type { Diff } from '@/api/types';

import { FileDiffView } from './FileDiffView';

/** So many files begin unfolded. */
const OPEN = 10;

/** What changed, file by file. */
export function DiffView({ diff, empty }: { diff: Diff; empty: string }) {
  if (diff.files.length === 0) return <p className="text-sm text-ink-soft">{empty}</p>;
  return (
    <div className="space-y-3">
      <ul className="space-y-3">
        {diff.files.map((file, index) => (
          <li key={file.path}>
            <FileDiffView file={file} open={index < OPEN} />
          </li>
        ))}
      </ul>
      {diff.truncated && (
        <p className="text-sm text-ink-soft">There is more: clone the repository to see it all.</p>
      )}
    </div>
  );
}
