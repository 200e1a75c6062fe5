import { useQuery } from '@tanstack/react-query';
import { Search } from 'lucide-react';
import { useDeferredValue } from 'react';

import { useApi } from '@/api/ApiContext';
import { describe } from '@/api/problem';

import { searchQuery } from './api';

interface Props {
  value: string;
  at: string | undefined;
  onChange: (value: string) => void;
  onOpen: (path: string) => void;
}

export function MemorySearch({ value, at, onChange, onOpen }: Props) {
  const api = useApi();
  const text = useDeferredValue(value.trim());
  const { data: hits, error } = useQuery(searchQuery(api, text, at));
  return (
    <div role="search">
      <div className="relative">
        <Search aria-hidden size={15} className="absolute top-3 left-3 text-ink-faint" />
        <input
          type="search"
          aria-label="Search files"
          placeholder="Search"
          value={value}
          maxLength={200}
          onChange={(event) => onChange(event.target.value)}
          className="h-10 w-full rounded-xl border border-line bg-surface pr-3 pl-9 text-sm placeholder:text-ink-faint focus-visible:outline-offset-0"
        />
      </div>
      {value !== '' && (
        <div aria-live="polite" className="mt-3">
          {error !== null && <p className="px-2 text-sm text-danger">{describe(error)}</p>}
          {hits?.length === 0 && <p className="px-2 text-sm text-ink-soft">Nothing found.</p>}
          <ul>
            {hits?.map((hit) => (
              <li key={hit.path}>
                <button
                  type="button"
                  onClick={() => onOpen(hit.path)}
                  className="w-full rounded-lg px-2.5 py-2 text-left text-sm hover:bg-hover"
                >
                  <span className="block truncate font-medium">{hit.title}</span>
                  <span className="line-clamp-2 text-[13px] text-ink-soft">{hit.snippet}</span>
                </button>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
