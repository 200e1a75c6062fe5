import { TriangleAlert } from 'lucide-react';

import { Button } from '@/components/ui/Button';
import { EmptyState } from '@/components/ui/EmptyState';

import { CodeMissing } from './arrives';

interface Props {
  error: unknown;
  /** Tries to show it once more; what is open and half-written elsewhere stays. */
  retry?: () => void;
}

/** In the place of a page whose code did not come, or that broke. */
export function PageFailed({ error, retry }: Props) {
  const missing = error instanceof CodeMissing;
  return (
    <div role="alert" className="flex h-full min-h-96 items-center">
      <EmptyState
        icon={TriangleAlert}
        title={missing ? 'This page could not be loaded' : 'This page has failed'}
        action={
          <div className="flex justify-center gap-2">
            {missing && retry !== undefined && <Button onClick={retry}>Try again</Button>}
            <Button variant="primary" onClick={() => window.location.reload()}>
              Reload
            </Button>
          </div>
        }
      >
        {missing
          ? 'The connection is gone, or the server has a newer version now: reload to get it.'
          : 'Nothing of yours is lost. Reload to go on.'}
      </EmptyState>
    </div>
  );
}
