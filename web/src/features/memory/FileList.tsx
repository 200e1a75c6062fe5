import { FileText, History } from 'lucide-react';
import type { ReactNode } from 'react';

import type { MemoryFile } from '@/api/types';
import { cx } from '@/components/ui/cx';

interface Props {
  files: readonly MemoryFile[];
  selected: string | undefined;
  onOpen: (path: string | undefined) => void;
}

/** The files by folder; those at the top come first. */
export function FileList({ files, selected, onOpen }: Props) {
  const folders = byFolder(files);
  return (
    <nav aria-label="Files" className="mt-3 space-y-4">
      <Entry current={selected === undefined} onClick={() => onOpen(undefined)}>
        <History aria-hidden size={15} className="shrink-0" /> All changes
      </Entry>
      {folders.map(([folder, inside]) => (
        <section key={folder} aria-label={folder === '' ? 'Top folder' : folder}>
          {folder !== '' && (
            <h2 className="truncate px-2.5 pb-1 text-xs font-medium text-ink-faint">{folder}</h2>
          )}
          <ul>
            {inside.map(({ path, title }) => (
              <li key={path}>
                <Entry current={path === selected} onClick={() => onOpen(path)}>
                  <FileText aria-hidden size={15} className="shrink-0" />
                  <span className="truncate" title={path}>
                    {title}
                  </span>
                </Entry>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
  );
}

interface EntryProps {
  current: boolean;
  onClick: () => void;
  children: ReactNode;
}

function Entry({ current, onClick, children }: EntryProps) {
  return (
    <button
      type="button"
      aria-current={current ? 'page' : undefined}
      onClick={onClick}
      className={cx(
        'flex h-8 w-full items-center gap-2 rounded-lg px-2.5 text-left text-sm transition-colors',
        current ? 'bg-accent-soft font-medium text-accent-strong' : 'text-ink-soft hover:bg-hover',
      )}
    >
      {children}
    </button>
  );
}

function byFolder(files: readonly MemoryFile[]): [string, MemoryFile[]][] {
  const folders = new Map<string, MemoryFile[]>();
  for (const file of files) {
    const folder = file.path.includes('/') ? file.path.slice(0, file.path.lastIndexOf('/')) : '';
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  return [...folders].sort(([a], [b]) => a.localeCompare(b));
}
