import { Link } from '@tanstack/react-router';
import { CircleAlert, RotateCw } from 'lucide-react';

import { ApiError, describe, needsPlan } from '@/api/problem';
import { paths } from '@/config/paths';

import { Button } from './Button';
import { HomeLink } from './HomeLink';

interface Props {
  error: unknown;
  retry?: () => void;
  /** Whether a missing plan brings a link to the settings, where plans are. */
  showPlan?: boolean;
}

/** Why something could not be shown, and the way on: again, to billing, or home. */
export function ErrorState({ error, retry, showPlan = true }: Props) {
  const unpaid = needsPlan(error);
  const missing = error instanceof ApiError && error.status === 404;
  return (
    <div role="alert" className="mx-auto flex max-w-sm flex-col items-center px-6 py-12 text-center">
      <span className="mb-4 flex size-12 items-center justify-center rounded-2xl bg-danger-soft text-danger">
        <CircleAlert aria-hidden size={22} strokeWidth={1.8} />
      </span>
      <p className="font-semibold">
        {unpaid ? 'Your plan has paused this' : missing ? 'There is nothing here' : 'That didn’t work'}
      </p>
      <p className="mt-1.5 text-sm text-ink-soft">{describe(error)}</p>
      <div className="mt-5 flex gap-2">
        {unpaid && showPlan && (
          <Link
            to={paths.settings}
            hash="billing"
            className="inline-flex h-10 items-center rounded-xl bg-accent px-4 text-sm font-medium text-accent-ink"
          >
            See your plan
          </Link>
        )}
        {missing && <HomeLink />}
        {retry !== undefined && !missing && (
          <Button onClick={retry}>
            <RotateCw aria-hidden size={15} /> Try again
          </Button>
        )}
      </div>
    </div>
  );
}
