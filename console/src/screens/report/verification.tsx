import { type Jwk, keysIn, type Verdict } from '@redrive/client';
import { useState } from 'react';
import { CopyButton } from '../../ui/copy.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Time } from '../../ui/text.tsx';
import styles from './report.module.css';

/** Says whether the signature holds, by which key, and how much that is worth. */
export function Verification({
  verdict,
  pinned,
  onPin,
}: {
  verdict: Verdict;
  pinned: string | undefined;
  onPin: (set: { name: string; keys: Jwk[] } | undefined) => void;
}) {
  const [refused, setRefused] = useState<string>();
  const title = !verdict.holds
    ? 'Not verified'
    : pinned === undefined
      ? 'Verified: signed by this server'
      : 'Verified by the keys that you pinned';
  return (
    <Notice tone={verdict.holds ? 'good' : 'bad'} title={title} live>
      {verdict.holds ? (
        <>
          <p>
            Key <code>{verdict.kid}</code>, thumbprint{' '}
            <code className={styles.long}>{verdict.thumbprint}</code>{' '}
            <CopyButton text={verdict.thumbprint} what="the thumbprint" />
            {verdict.key.retiredAt === undefined ? null : (
              <>
                {' '}
                (retired <Time at={verdict.key.retiredAt} />)
              </>
            )}
          </p>
          <p>
            {pinned === undefined
              ? 'Checked here, in this browser, with the keys that this server shows now. Against a server that lies, compare the thumbprint with one that you kept, or choose a key set that you saved earlier.'
              : `Checked here, in this browser, with ${pinned}: whatever this server says today.`}
          </p>
        </>
      ) : (
        <p>{verdict.why}</p>
      )}
      <label className={styles.pin}>
        <span>Key set (JWKS) that you saved earlier</span>
        <input
          type="file"
          accept="application/json,.json"
          onChange={({ target }) => {
            const file = target.files?.[0];
            setRefused(undefined);
            if (!file) return onPin(undefined);
            file.text().then(
              (text) => {
                try {
                  onPin({ name: file.name, keys: keysIn(text) });
                } catch {
                  setRefused(
                    `${file.name} is no key set: expected the JSON of /.well-known/redrive/jwks.json.`,
                  );
                }
              },
              () => setRefused(`${file.name} could not be read.`),
            );
          }}
        />
      </label>
      {refused === undefined ? null : <p role="alert">{refused}</p>}
    </Notice>
  );
}
