import { useState, type SubmitEvent } from 'react';

import { Button } from '@/components/ui/Button';
import { ExportedFile } from '@/components/ui/ExportedFile';
import { Failure } from '@/components/ui/Failure';
import { PasswordField } from '@/components/ui/PasswordField';
import { Time } from '@/components/ui/Time';

import { useExport } from './account';
import { Card } from './Card';

interface Props {
  /** Whether the account is kept here: then a lost login alone must not be enough. */
  asksPassword: boolean;
}

/** Everything of the person in one file, at any time. */
export function ExportSection({ asksPassword }: Props) {
  const { mutate, isPending, error, data: file } = useExport();
  const [password, setPassword] = useState('');

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    mutate(asksPassword ? password : null, { onSuccess: () => setPassword('') });
  };

  return (
    <Card title="Your data">
      <p className="mb-3 text-ink-soft">
        One file with your repositories, messages, tasks and account. It changes nothing here.
      </p>
      <form onSubmit={submit} className="max-w-sm space-y-4">
        {asksPassword && (
          <PasswordField
            label="Your password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
        {error !== null && <Failure error={error} />}
        <Button type="submit" busy={isPending}>
          Make the file
        </Button>
      </form>
      {file !== undefined && (
        <div role="status" className="mt-5 space-y-3">
          <p className="text-sm text-ink-soft">
            It is ready, and can be had until <Time at={file.expires_at} />. Whoever knows its
            address can fetch it.
          </p>
          <ExportedFile file={file} />
        </div>
      )}
    </Card>
  );
}
