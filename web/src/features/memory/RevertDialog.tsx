import { useState } from 'react';

import type { Commit } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { Failure } from '@/components/ui/Failure';
import { Modal } from '@/components/ui/Modal';
import { newKey } from '@/lib/keys';

import { useRevert } from './api';

/** Asks before a change is undone. */
export function RevertDialog({ commit, onClose }: { commit: Commit; onClose: () => void }) {
  const revert = useRevert();
  const [key] = useState(newKey); // pressing again after a failure undoes once
  return (
    <Modal
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title="Undo this change?"
      description="A new commit takes back what this one did. Nothing is lost: it stays in the history."
    >
      <div className="space-y-4 p-5">
        <p className="rounded-xl bg-raised px-3.5 py-2.5 text-sm">
          {commit.subject} <span className="font-mono text-ink-faint">{commit.sha.slice(0, 7)}</span>
        </p>
        {revert.error !== null && <Failure error={revert.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Keep it</Button>
          <Button
            variant="danger"
            busy={revert.isPending}
            onClick={() => revert.mutate({ sha: commit.sha, key }, { onSuccess: onClose })}
          >
            Undo change
          </Button>
        </div>
      </div>
    </Modal>
  );
}
