import { Link } from '@tanstack/react-router';
import { Download } from 'lucide-react';

import type { Export } from '@/api/types';
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
          <a
            href={left.url}
            download
            className="inline-flex h-10 items-center gap-2 rounded-xl bg-accent px-4 text-sm font-medium text-accent-ink hover:bg-accent-strong"
          >
            <Download aria-hidden size={16} /> Download everything
          </a>
          <p className="text-[13px] text-ink-faint">
            SHA-256 <span className="font-mono">{left.sha256}</span>
          </p>
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
