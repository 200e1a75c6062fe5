import { useQuery } from '@tanstack/react-query';
import { NotebookPen } from 'lucide-react';
import { useState } from 'react';

import { useApi } from '@/api/ApiContext';
import { cx } from '@/components/ui/cx';
import { EmptyState } from '@/components/ui/EmptyState';
import { ErrorState } from '@/components/ui/ErrorState';
import { PageHeader } from '@/components/ui/PageHeader';
import { Skeleton } from '@/components/ui/Skeleton';

import { filesQuery } from './api';
import { FileList } from './FileList';
import { FileView } from './FileView';
import { History } from './History';
import { MemorySearch } from './MemorySearch';

interface Props {
  /** The file on screen; none: the whole history. */
  path: string | undefined;
  onOpen: (path: string | undefined) => void;
}

/** What the agent knows: files, their text, and every change with its way back. */
export function MemoryPage({ path, onOpen }: Props) {
  const api = useApi();
  const files = useQuery(filesQuery(api));
  const [search, setSearch] = useState('');

  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title="Memory" subtitle="What your agent knows, as files in your own repository" />
      {files.isPending && (
        <div className="p-6">
          <Skeleton lines={6} label="Loading files" />
        </div>
      )}
      {files.error !== null && (
        <ErrorState error={files.error} retry={() => void files.refetch()} />
      )}
      {files.data?.length === 0 && (
        <EmptyState icon={NotebookPen} title="Nothing remembered yet">
          Tell your agent “Remember that …” and it becomes a file here.
        </EmptyState>
      )}
      {files.data !== undefined && files.data.length > 0 && (
        <div className="min-h-0 flex-1 overflow-y-auto md:grid md:grid-cols-[17rem_minmax(0,1fr)] md:overflow-hidden">
          {/* On a small screen an open file takes the place of the list. */}
          <div
            className={cx(
              'border-b border-line p-3 md:block md:overflow-y-auto md:border-r md:border-b-0',
              path !== undefined && 'hidden',
            )}
          >
            <MemorySearch value={search} onChange={setSearch} onOpen={onOpen} />
            {search === '' && <FileList files={files.data} selected={path} onOpen={onOpen} />}
          </div>
          <div className="px-4 py-6 md:overflow-y-auto md:px-8">
            <div className="mx-auto max-w-3xl space-y-8">
              {path !== undefined && (
                <FileView key={path} path={path} onClose={() => onOpen(undefined)} />
              )}
              <History path={path} />
            </div>
          </div>
        </div>
      )}
    </div>
  );
}
