import { ChevronRight } from 'lucide-react';
import { useState } from 'react';

import type { FileDiff } from '@/api/types';
import { Badge, type BadgeTone } from '@/components/ui/Badge';
import { Button } from '@/components/ui/Button';
import { cx } from '@/components/ui/cx';

/** So many lines are drawn before one asks for the rest. */
const DRAWN = 300;

const TONES: Record<FileDiff['status'], BadgeTone> = {
  added: 'accent',
  modified: 'info',
  deleted: 'danger',
  renamed: 'warning',
};

export function FileDiffView({ file, open }: { file: FileDiff; open: boolean }) {
  const name = file.old_path == null ? file.path : `${file.old_path} → ${file.path}`;
  return (
    <details open={open} className="group overflow-hidden rounded-xl border border-line bg-surface">
      <summary className="flex list-none flex-wrap items-center gap-x-2.5 gap-y-1 px-3.5 py-2 text-[13px] hover:bg-hover focus-visible:-outline-offset-2">
        <ChevronRight
          aria-hidden
          size={15}
          className="shrink-0 text-ink-faint transition-transform group-open:rotate-90"
        />
        <span className="min-w-40 flex-1 font-mono">{name}</span>
        <Badge tone={TONES[file.status]}>{file.status}</Badge>
        <span className="font-mono text-xs whitespace-nowrap">
          <span className="text-success">+{file.additions}</span>{' '}
          <span className="text-danger">−{file.deletions}</span>
        </span>
      </summary>
      {file.patch === null ? (
        <p className="border-t border-line px-3.5 py-3 text-sm text-ink-soft">
          Not text, or too long to show.
        </p>
      ) : (
        <Patch text={file.patch} name={name} />
      )}
    </details>
  );
}

function Patch({ text, name }: { text: string; name: string }) {
  const [all, setAll] = useState(false);
  const lines = linesOf(text);
  const shown = all ? lines : lines.slice(0, DRAWN);
  return (
    <div className="border-t border-line bg-code">
      <pre
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls, so keys must reach it
        tabIndex={0}
        aria-label={`Changes in ${name}`}
        className="overflow-x-auto py-2 font-mono text-[12.5px] leading-relaxed focus-visible:-outline-offset-2"
      >
        <code className="block min-w-max">
          {shown.map((line, index) => (
            // The lines of a patch never change their places.
            <span key={index} className={cx('block px-3.5', styleOf(line))}>
              {line === '' ? ' ' : line}
            </span>
          ))}
        </code>
      </pre>
      {shown.length < lines.length && (
        <Button variant="ghost" size="small" className="m-2" onClick={() => setAll(true)}>
          Show all {lines.length} lines
        </Button>
      )}
    </div>
  );
}

/** A patch from its first hunk on: the lines before it only repeat the file's name. */
function linesOf(patch: string): string[] {
  const lines = patch.replace(/\n$/, '').split('\n');
  const first = lines.findIndex((line) => line.startsWith('@@'));
  return first < 0 ? lines : lines.slice(first);
}

function styleOf(line: string): string {
  if (line.startsWith('+')) return 'bg-accent-soft';
  if (line.startsWith('-')) return 'bg-danger-soft';
  if (line.startsWith('@@')) return 'text-info';
  return 'text-ink-soft';
}
