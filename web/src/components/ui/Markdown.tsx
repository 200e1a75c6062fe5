import { Link } from '@tanstack/react-router';
import { createElement, memo, type ComponentProps } from 'react';
import ReactMarkdown, { type Components } from 'react-markdown';
import remarkGfm from 'remark-gfm';

import { CodeBlock } from './CodeBlock';

/** A page of this app: it opens in the tab where one is. */
const OWN_PAGE = /^\/app\/[\w/-]+$/;

/**
 * What has signs at its side, which stand where its text begins: at the right in Hebrew or Arabic.
 * Plain lines do so by style: with a `dir` of their own these here would not look at them.
 */
const BLOCKS = ['ul', 'ol', 'blockquote'] as const;

function eitherWay(tag: string) {
  return ({ className, start, children }: ComponentProps<'ol'>) =>
    createElement(tag, { dir: 'auto', className, start }, children);
}

/**
 * No raw HTML, and no images: an address that a model wrote would be asked for by the browser
 * and could carry something out. Links are opened only by a person.
 */
const COMPONENTS: Components = {
  ...Object.fromEntries(BLOCKS.map((tag) => [tag, eitherWay(tag)])),
  a: ({ href, children }) =>
    href !== undefined && OWN_PAGE.test(href) ? (
      <Link to={href}>{children}</Link>
    ) : (
      <a href={href} target="_blank" rel="noopener noreferrer nofollow">
        {children}
      </a>
    ),
  img: ({ src, alt }) => (
    <a href={src} target="_blank" rel="noopener noreferrer nofollow">
      {alt === undefined || alt === '' ? 'image' : alt}
    </a>
  ),
  table: ({ children }) => (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls, so keys must reach it
    <div dir="auto" tabIndex={0} className="overflow-x-auto">
      <table>{children}</table>
    </div>
  ),
  pre: ({ node }) => {
    const code = node?.children.find((child) => child.type === 'element');
    const className = code?.properties.className;
    const language = Array.isArray(className) ? String(className[0]).replace('language-', '') : '';
    const text = (code?.children ?? [])
      .map((child) => (child.type === 'text' ? child.value : ''))
      .join('');
    // What follows the language on a fence names the file.
    const meta = (code?.data as { meta?: string } | undefined)?.meta;
    return <CodeBlock language={[language, meta].filter(Boolean).join(' · ')} text={text} />;
  },
};

const PLUGINS = [remarkGfm];

/** Text in Markdown, with GitHub's tables, lists and strikethrough. */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  return (
    <div className="prose">
      <ReactMarkdown remarkPlugins={PLUGINS} components={COMPONENTS}>
        {text}
      </ReactMarkdown>
    </div>
  );
});
