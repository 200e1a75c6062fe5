import { useInfiniteQuery } from '@tanstack/react-query';
import { NotebookPen } from 'lucide-react';
import { useState } from 'react';

import { useApi } from '@/api/ApiContext';
import { ApiError } from '@/api/problem';
import { cx } from '@/components/ui/cx';
import { EmptyState } from '@/components/ui/EmptyState';
import { PageHeader } from '@/components/ui/PageHeader';
import { PagesView } from '@/components/ui/PagesView';

import { filesQuery } from './api';
import { DayPicker } from './DayPicker';
import { FileList } from './FileList';
import { FileView } from './FileView';
import { History } from './History';
import { MemorySearch } from './MemorySearch';

/** What is on screen; all of it is in the address. */
export interface MemoryPlace {
  /** The open file; none: the whole history. */
  path?: string | undefined;
  /** The day or moment to look back to; none: now. */
  at?: string | undefined;
}

interface Props extends MemoryPlace {
  onGo: (place: MemoryPlace) => void;
}

/** What the agent knows, now or on a day: files, their text, and every change with its way back. */
export function MemoryPage({ path, at, onGo }: Props) {
  const api = useApi();
  const files = useInfiniteQuery(filesQuery(api, at));
  const [search, setSearch] = useState('');
  const open = (next: string | undefined): void => onGo({ path: next, at });
  const lookBack = (next: string | undefined): void => onGo({ path, at: next });
  const tooEarly = at !== undefined && files.error instanceof ApiError && files.error.status === 404;
  const isNew = at === undefined && path === undefined && files.data?.length === 0;

  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title="Memory" subtitle="What your agent knows, as files in your own repository" />
      {isNew ? (
        <EmptyState icon={NotebookPen} title="Nothing remembered yet">
          Tell your agent “Remember that …” and it becomes a file here.
        </EmptyState>
      ) : (
        <div className="min-h-0 flex-1 overflow-y-auto lg:grid lg:grid-cols-[17rem_minmax(0,1fr)] lg:overflow-hidden">
          {/* On a small screen an open file takes the place of the list. */}
          <div
            className={cx(
              'border-b border-line p-3 lg:block lg:overflow-y-auto lg:border-r lg:border-b-0',
              path !== undefined && 'hidden',
            )}
          >
            <MemorySearch value={search} at={at} onChange={setSearch} onOpen={open} />
            <DayPicker value={at} onChange={lookBack} />
            {search === '' && tooEarly && (
              <p className="mt-4 px-2.5 text-sm text-ink-soft">Your agent knew nothing yet on that day.</p>
            )}
            {search === '' && !tooEarly && (
              <PagesView query={files} loading="Loading files">
                {(found) => <FileList files={found} selected={path} onOpen={open} />}
              </PagesView>
            )}
          </div>
          <div className="px-4 py-6 md:px-8 lg:overflow-y-auto">
            <div className="mx-auto max-w-3xl space-y-8">
              {path !== undefined && (
                <FileView
                  key={path}
                  path={path}
                  at={at}
                  onLookBack={lookBack}
                  onClose={() => open(undefined)}
                />
              )}
              <History path={path} onOpen={open} />
            </div>
          </div>
        </div>
      )}
    </div>
  );
}
