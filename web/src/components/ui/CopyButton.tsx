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

  const copy = (): void => {
    writeToClipboard(text).then(
      () => setCopied(true),
      () => undefined, // the text stays there to select
    );
  };

  return <IconButton icon={copied ? Check : Copy} label={copied ? 'Copied' : label} onClick={copy} />;
}

/** The clipboard is missing on origins that are not secure, such as a server in one's own network. */
async function writeToClipboard(text: string): Promise<void> {
  const clipboard = (navigator as Partial<Navigator>).clipboard;
  if (clipboard !== undefined) return clipboard.writeText(text);
  const take = (event: ClipboardEvent): void => {
    event.preventDefault();
    event.clipboardData?.setData('text/plain', text);
  };
  document.addEventListener('copy', take, { once: true });
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way there
  const copied = document.execCommand('copy');
  document.removeEventListener('copy', take);
  if (!copied) throw new Error('The browser copied nothing.');
}
