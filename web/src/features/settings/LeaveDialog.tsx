import { useState, type SubmitEvent } from 'react';

import { useSession } from '@/api/ApiContext';
import { describe } from '@/api/problem';
import { Button } from '@/components/ui/Button';
import { Modal } from '@/components/ui/Modal';
import { Notice } from '@/components/ui/Notice';
import { PasswordField } from '@/components/ui/PasswordField';
import { TextField } from '@/components/ui/TextField';

import { useLeave } from './account';

/** Asks for the password and for one's own address before everything is erased. */
export function LeaveDialog({ onClose }: { onClose: () => void }) {
  const leave = useLeave();
  const email = useSession()?.user.email ?? '';
  const [typed, setTyped] = useState('');
  const [password, setPassword] = useState('');
  const sure = typed.trim().toLowerCase() === email.toLowerCase();

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (sure) leave.mutate(password);
  };

  return (
    <Modal
      open
      onOpenChange={(open) => {
        if (!open && !leave.isPending) onClose();
      }}
      title="Delete your account?"
      description="This can’t be undone. Clone your repositories first if you want to keep what is in them."
    >
      <form onSubmit={submit} className="space-y-4 p-5">
        <TextField
          label={`Type ${email} to confirm`}
          autoComplete="off"
          spellCheck={false}
          required
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <PasswordField
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        {leave.error !== null && <Notice tone="danger">{describe(leave.error)}</Notice>}
        <div className="flex flex-wrap justify-end gap-2">
          <Button disabled={leave.isPending} onClick={onClose}>
            Keep my account
          </Button>
          <Button type="submit" variant="danger" disabled={!sure} busy={leave.isPending}>
            Delete everything
          </Button>
        </div>
      </form>
    </Modal>
  );
}
