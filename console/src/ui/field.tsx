import { type InputHTMLAttributes, type ReactNode, useId } from 'react';
import styles from './field.module.css';

interface FieldProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'value'> {
  label: string;
  hint?: ReactNode;
  /** Why what stands there cannot be taken. */
  wrong?: string | undefined;
  value: string;
  onValue: (value: string) => void;
  lines?: number;
}

/** An input with its label. */
export function Field({ label, hint, wrong, value, onValue, lines, ...rest }: FieldProps) {
  const id = useId();
  const describing = [hint !== undefined && `${id}-hint`, wrong !== undefined && `${id}-wrong`].filter(
    Boolean,
  );
  const described = {
    ...(describing.length > 0 ? { 'aria-describedby': describing.join(' ') } : {}),
    ...(wrong === undefined ? {} : { 'aria-invalid': true }),
  };
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      {lines === undefined ? (
        <input
          {...rest}
          {...described}
          id={id}
          className={styles.input}
          value={value}
          onChange={({ target }) => onValue(target.value)}
        />
      ) : (
        <textarea
          {...described}
          id={id}
          rows={lines}
          className={styles.input}
          value={value}
          onChange={({ target }) => onValue(target.value)}
        />
      )}
      {hint === undefined ? null : (
        <p id={`${id}-hint`} className={styles.hint}>
          {hint}
        </p>
      )}
      {wrong === undefined ? null : (
        <p id={`${id}-wrong`} className={styles.wrong}>
          {wrong}
        </p>
      )}
    </div>
  );
}

/** Fields beside each other where there is room. */
export function Fields({ children }: { children: ReactNode }) {
  return <div className={styles.row}>{children}</div>;
}

interface Choice {
  value: string;
  text: ReactNode;
}

/** One of several. */
export function Choose({
  label,
  choices,
  value,
  onValue,
}: {
  label: string;
  choices: readonly Choice[];
  value: string;
  onValue: (value: string) => void;
}) {
  const name = useId();
  return (
    <fieldset className={styles.choices}>
      <legend>{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} className={styles.choice}>
          <input
            type="radio"
            name={name}
            checked={choice.value === value}
            onChange={() => onValue(choice.value)}
          />
          <span>{choice.text}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** One of many, or none. */
export function Select({
  label,
  any,
  choices,
  value,
  onValue,
}: {
  label: string;
  /** What it is called when none is chosen. */
  any: string;
  choices: readonly { value: string; text: string }[];
  value: string;
  onValue: (value: string) => void;
}) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <select id={id} className={styles.input} value={value} onChange={({ target }) => onValue(target.value)}>
        <option value="">{any}</option>
        {choices.map((choice) => (
          <option key={choice.value} value={choice.value}>
            {choice.text}
          </option>
        ))}
      </select>
    </div>
  );
}

/** Some of several. */
export function ChooseSome({
  label,
  choices,
  values,
  onValues,
}: {
  label: string;
  choices: readonly Choice[];
  values: readonly string[];
  onValues: (values: string[]) => void;
}) {
  return (
    <fieldset className={styles.choices}>
      <legend>{label}</legend>
      {choices.map(({ value, text }) => (
        <label key={value} className={styles.choice}>
          <input
            type="checkbox"
            checked={values.includes(value)}
            onChange={({ target }) =>
              onValues(target.checked ? [...values, value] : values.filter((each) => each !== value))
            }
          />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Yes or no. */
export function Check({
  label,
  value,
  onValue,
  silent,
}: {
  label: ReactNode;
  /** The label is for those who do not see what the box stands beside. */
  silent?: boolean;
  value: boolean;
  onValue: (value: boolean) => void;
}) {
  return (
    <label className={styles.check}>
      <input type="checkbox" checked={value} onChange={({ target }) => onValue(target.checked)} />
      <span className={silent ? 'hidden-text' : undefined}>{label}</span>
    </label>
  );
}
