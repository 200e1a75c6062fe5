import { useQuery } from '@tanstack/react-query';
import { X } from 'lucide-react';

import { useApi } from '@/api/ApiContext';
import { ApiError } from '@/api/problem';
import type { MemoryContent } from '@/api/types';
import { ErrorState } from '@/components/ui/ErrorState';
import { IconButton } from '@/components/ui/IconButton';
import { Markdown } from '@/components/ui/Markdown';
import { Skeleton } from '@/components/ui/Skeleton';
import { Time } from '@/components/ui/Time';

import { fileQuery } from './api';
import { RemainsView } from './RemainsView';

interface Props {
  path: string;
  at: string | undefined;
  onLookBack: (at: string) => void;
  onClose: () => void;
}

/** One file, as a person reads it. */
export function FileView({ path, at, onLookBack, onClose }: Props) {
  const api = useApi();
  const file = useQuery(fileQuery(api, path, at));
  const missing = file.error instanceof ApiError && file.error.status === 404;
  return (
    <article aria-label={path} className="animate-fade rounded-2xl border border-line bg-surface">
      <header className="flex items-center gap-3 border-b border-line py-1.5 pr-2 pl-5">
        <h2 className="min-w-0 flex-1 truncate font-mono text-[13px]">{path}</h2>
        <IconButton icon={X} label="Close file" onClick={onClose} />
      </header>
      <div className="px-5 py-5">
        {file.isPending && <Skeleton lines={4} label="Loading file" />}
        {missing && <RemainsView path={path} at={at} onLookBack={onLookBack} />}
        {file.error !== null && !missing && (
          <ErrorState error={file.error} retry={() => void file.refetch()} />
        )}
        {file.data !== undefined && <FileText file={file.data} />}
      </div>
    </article>
  );
}

function FileText({ file }: { file: MemoryContent }) {
  const facts = [
    { name: 'Why', value: file.reason },
    { name: 'Written', value: file.created },
    { name: 'Changed', value: file.updated },
  ].filter((fact) => fact.value != null);
  return (
    <>
      {facts.length > 0 && (
        <dl className="mb-5 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 border-b border-line pb-4 text-[13px]">
          {facts.map(({ name, value }) => (
            <div key={name} className="contents">
              <dt className="text-ink-faint">{name}</dt>
              <dd>{name === 'Why' ? value : <Time at={value ?? ''} />}</dd>
            </div>
          ))}
        </dl>
      )}
      {file.content.trim() === '' ? (
        <p className="text-sm text-ink-soft">This file is empty.</p>
      ) : (
        <Markdown text={file.content} />
      )}
    </>
  );
}
