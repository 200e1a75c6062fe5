import { Download } from 'lucide-react';

import type { Export } from '@/api/types';

/** The way to a file with everything of a person. */
export function ExportedFile({ file }: { file: Export }) {
  return (
    <div className="space-y-4">
      <a
        href={file.url}
        download
        className="inline-flex h-10 items-center gap-2 rounded-xl bg-accent px-4 text-sm font-medium text-accent-ink hover:bg-accent-strong"
      >
        <Download aria-hidden size={16} /> Download everything
      </a>
      <p className="text-[13px] break-all text-ink-faint">
        SHA-256 <span className="font-mono">{file.sha256}</span>
      </p>
    </div>
  );
}
