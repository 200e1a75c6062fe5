import { Check, Copy } from 'lucide-react';
import { useEffect, useState } from 'react';

import { IconButton } from './IconButton';

/** Copies `text`; says so for two seconds. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);

  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [copied]);

  // The clipboard is missing on insecure origins: then the text stays there to select.
  const copy = (): void => {
    const clipboard = (navigator as Partial<Navigator>).clipboard;
    clipboard?.writeText(text).then(
      () => setCopied(true),
      () => undefined,
    );
  };

  return <IconButton icon={copied ? Check : Copy} label={copied ? 'Copied' : label} onClick={copy} />;
}
