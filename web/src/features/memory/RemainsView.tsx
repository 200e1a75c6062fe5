import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import type { Remains } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { QueryView } from '@/components/ui/QueryView';
import { Time } from '@/components/ui/Time';

import { remainsQuery } from './api';

interface Props {
  path: string;
  at: string | undefined;
  onLookBack: (at: string) => void;
}

/** A file that is not there: what the history still keeps of it, and the way to read it. */
export function RemainsView({ path, at, onLookBack }: Props) {
  const remains = useQuery(remainsQuery(useApi(), path));
  return (
    <QueryView query={remains} loading="Loading what is left">
      {(left) => (
        <div className="space-y-3 text-sm text-ink-soft">
          <p>{at === undefined ? 'Your agent no longer knows this file.' : 'This file was not there then.'}</p>
          <Left remains={left} onLookBack={onLookBack} />
        </div>
      )}
    </QueryView>
  );
}

function Left({
  remains: { versions, at },
  onLookBack,
}: {
  remains: Remains;
  onLookBack: (at: string) => void;
}) {
  if (at == null) return <p>The history holds nothing of it.</p>;
  return (
    <>
      <p>
        The history keeps {versions === 1 ? 'one version' : `${versions} versions`} of it, the last
        from <Time at={at} />. Whoever has a copy of your repository can read it.
      </p>
      <Button onClick={() => onLookBack(at)}>Read the last version</Button>
    </>
  );
}
