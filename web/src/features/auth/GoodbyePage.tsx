import { Link } from '@tanstack/react-router';

import type { Export } from '@/api/types';
import { ExportedFile } from '@/components/ui/ExportedFile';
import { Time } from '@/components/ui/Time';
import { paths } from '@/config/paths';

import { AuthLayout } from './AuthLayout';

/** The account is gone; what was taken along is to be fetched here. */
export function GoodbyePage({ left }: { left: Export | undefined }) {
  return (
    <AuthLayout title="Your account is deleted">
      {left === undefined ? (
        <p className="text-ink-soft">Everything of yours here is erased.</p>
      ) : (
        <div className="space-y-4">
          <p className="text-ink-soft">
            Download the file with your repositories, messages and tasks now: it can be had only at
            this address, until <Time at={left.expires_at} />.
          </p>
          <ExportedFile file={left} />
        </div>
      )}
      <p className="mt-7 text-sm">
        <Link
          to={paths.register}
          className="font-medium text-accent-strong underline underline-offset-4"
        >
          Begin anew
        </Link>
      </p>
    </AuthLayout>
  );
}
